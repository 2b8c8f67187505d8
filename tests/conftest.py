"""What tests in several rooms share: a browser, and the figures of the proof, printed at the end of a run."""

import collections
import json
import os
import shutil

import pytest
from nbclient import NotebookClient

# Small tensors: a second thread only waits, and on a busy machine it waits long.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser):
    parser.addoption(
        "--seeds",
        type=int,
        default=3,
        metavar="N",
        help="prove the checks with N draws of their random inputs (%(default)s); after a change, many",
    )


CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, a fresh one for each file of tests (Playwright's synchronous interface).

    While it is open, an event loop counts as running in this process: no other tests should live with that.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")
    executable = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if executable is None:
        pytest.skip("There is no Chromium on this machine: apt-get install chromium.")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(QUIET))
        yield browser
        browser.close()


def run_notebook(notebook, folder):
    """Run a notebook in place, in a folder; again where the kernel's port was taken before it started."""
    for tries_left in (2, 1, 0):
        try:
            resources = {"metadata": {"path": str(folder)}}
            return NotebookClient(notebook, timeout=300, resources=resources).execute()
        except RuntimeError as error:
            if "Kernel died before replying to kernel_info" not in str(error) or not tries_left:
                raise


@pytest.fixture(scope="session")
def run():
    return run_notebook


FIGURES = pytest.StashKey[collections.Counter]()


@pytest.fixture
def figures(request):
    """What is counted while the checks are proved: `figures["known mistakes caught"] += 1`."""
    return request.config.stash.setdefault(FIGURES, collections.Counter())


def pytest_sessionfinish(session):
    """Under pytest-xdist each worker hands its figures to the one that prints."""
    if hasattr(session.config, "workeroutput"):
        counted = session.config.stash.get(FIGURES, collections.Counter())
        session.config.workeroutput["figures"] = json.dumps(counted)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    counted = json.loads(getattr(node, "workeroutput", {}).get("figures", "{}"))
    node.config.stash.setdefault(FIGURES, collections.Counter()).update(counted)


def pytest_terminal_summary(terminalreporter, config):
    for what, count in sorted(config.stash.get(FIGURES, {}).items()):
        terminalreporter.write_line(f"{count:5} {what}")
