"""The built book, a server for it, and pages of it in a browser."""

import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from autograder.chapters import ROOT


@pytest.fixture(scope="session")
def book(pytestconfig):
    """The folder of the built book. BOOK=path takes one that is built already.

    All pages are made anew, warnings are errors. What notebooks gave is kept in pytest's own cache.
    """
    if built := os.environ.get("BOOK"):
        return Path(built)
    out = pytestconfig.cache.mkdir("book")
    shutil.rmtree(out / "_build" / "html", ignore_errors=True)
    builder = Path(sys.executable).parent / "jupyter-book"
    command = [builder, "build", ROOT, "--all", "-W", "-n", "--path-output", out]
    done = subprocess.run(command, capture_output=True, text=True)
    if "Kernel died before replying" in done.stdout + done.stderr:  # its port was taken before it started
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"The book does not build:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return out / "_build" / "html"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def site(book):
    """The address of the book on a server of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=book))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def windows(browser):
    """Two windows, of readers who like their pages light (False) and dark (True)."""
    windows = {dark: browser.new_context(color_scheme="dark" if dark else "light") for dark in (False, True)}
    yield windows
    for window in windows.values():
        window.close()


@pytest.fixture
def visit(windows, site):
    """Opens a page, `visit("book/index.html", dark=True)`; none may fail, complain or ask another host."""
    pages, problems = [], []

    def visit(path, width=1300, dark=False, origin=site):
        def check(request):
            if not request.url.startswith((origin, "blob:", "data:")):
                problems.append(f"asks another host: {request.url}")

        def read(message):
            if message.type == "error":
                problems.append(f"console: {message.text} ({message.location['url']})")

        page = windows[dark].new_page()
        pages.append(page)
        page.set_default_timeout(10_000)
        page.set_viewport_size({"width": width, "height": 900})
        page.on("request", check)
        page.on("console", read)
        page.on("pageerror", lambda error: problems.append(f"script: {error}"))
        page.goto(f"{origin}{path}", wait_until="load")
        page.evaluate("window.MathJax?.startup?.promise")
        return page

    yield visit
    for page in pages:
        page.evaluate("localStorage.clear()")
        page.close()
    assert problems == []
