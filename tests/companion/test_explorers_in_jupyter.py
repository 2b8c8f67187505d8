"""Explorers in a real JupyterLab: what the reader does reaches Python, and the other way round."""

import json
import os
import subprocess
import sys
import time

import nbformat
import pytest
from test_translator_explorer import PAIRS, SIZES, expected_target, learn, target_on, write_model

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.").expect

SHOW = """from companion.explorers import MaskExplorer
explorer = MaskExplorer(["I", "am"], mask=[[True, False], [True, True]])
explorer"""
PRINT = """print(explorer.mask)
explorer.mask = [[False, False], [False, True]]"""
TRANSLATE = """from pathlib import Path
from companion.explorers import TranslatorExplorer, translator
translator.PART = 40_000  # so that even a small model comes in several parts
explorer = TranslatorExplorer(folder=Path("model"))
explorer"""
PRINT_TEXT = """print(explorer.text)
explorer.layer = 1"""


@pytest.fixture(params=[(SHOW, PRINT)], ids=[""])
def lab(request, tmp_path):
    """The address of a notebook with these cells, open in a JupyterLab of its own."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed.")
    cells = [nbformat.v4.new_code_cell(source) for source in request.param]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "explorer.ipynb")
    runtime = tmp_path / "runtime"
    folders = {"JUPYTER_RUNTIME_DIR": runtime, "JUPYTER_CONFIG_DIR": tmp_path, "IPYTHONDIR": tmp_path}
    environment = os.environ | {name: str(folder) for name, folder in folders.items()}
    options = ["--no-browser", "--allow-root", "--port=0", f"--ServerApp.root_dir={tmp_path}"]
    command = [sys.executable, "-m", "jupyterlab", *options]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        address = wait_for_server(server, runtime)
        yield f"{address['url']}lab/tree/explorer.ipynb?token={address['token']}"
    finally:
        server.terminate()
        server.wait(timeout=20)


def wait_for_server(server, runtime, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            if text := file.read_text():
                return json.loads(text)
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start: see {runtime.parent / 'log'}.")


def test_what_is_painted_reaches_the_kernel_and_back(browser, lab):
    page = browser.new_page()
    page.set_default_timeout(30_000)
    page.goto(lab)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    cells = page.locator(".jp-Notebook .jp-CodeCell")

    cells.nth(0).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    upper_right = page.get_by_role("gridcell", name="query I, key am:")
    upper_right.click()
    expect(upper_right).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    lower_right = page.get_by_role("gridcell", name="query am, key am: may not look")
    expect(lower_right).to_be_focused()

    cells.nth(1).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    printed = cells.nth(1).locator(".jp-OutputArea-output")
    printed.wait_for()
    expect(printed).to_have_text("[[True, True], [True, False]]\n")
    expect(page.get_by_role("gridcell", name="query I, key am: may not look")).to_be_visible()
    expect(page.get_by_role("gridcell", name="query am, key am: may look")).to_be_visible()
    page.close()


@pytest.mark.parametrize("lab", [(TRANSLATE, PRINT_TEXT)], indirect=True, ids=["translator"])
def test_the_kernel_gives_the_model_to_the_translator(browser, lab, tmp_path):
    folder = write_model(tmp_path / "model", SIZES["four heads"], learn)
    page = browser.new_page()
    page.set_default_timeout(30_000)
    page.goto(lab)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    cells = page.locator(".jp-Notebook .jp-CodeCell")

    cells.nth(0).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    text = [*PAIRS][1]
    page.get_by_label("your sentence").fill(text)
    page.get_by_role("button", name="Load the model").click()
    expect(page.locator(".explorer-sentence")).to_contain_text("The translation: ", timeout=30_000)
    assert target_on(page) == expected_target(folder, text)

    cells.nth(1).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    expect(cells.nth(1).locator(".jp-OutputArea-output")).to_have_text(f"{text}\n")
    layer = page.get_by_role("group", name="layer", exact=True)
    expect(layer.get_by_role("button", name="2")).to_have_attribute("aria-pressed", "true")
    page.close()
