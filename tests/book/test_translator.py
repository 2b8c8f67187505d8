"""The translator's model in the built book: its files, and a page that loads them."""

import importlib.util
from types import SimpleNamespace

import pytest

from autograder.chapters import ROOT
from companion.explorers.translator import PAGE_FOLDER, page_files

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.").expect

EXTENSION = ROOT / "book" / "extension" / "decoder_book.py"


@pytest.fixture
def extension():
    spec = importlib.util.spec_from_file_location("decoder_book", EXTENSION)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_of_the_model_are_laid_beside_the_pages(extension, tmp_path, monkeypatch):
    site = SimpleNamespace(outdir=tmp_path, builder=SimpleNamespace(format="html"))
    files = {f"{PAGE_FOLDER}/new-0.js": "first", f"{PAGE_FOLDER}/new-1.js": "second"}
    monkeypatch.setattr(extension, "page_files", lambda: files)
    old = tmp_path / PAGE_FOLDER / "old-0.js"
    old.parent.mkdir(parents=True)
    old.write_text("of another model")

    extension.lay_out_translator(site, RuntimeError("the build failed"))
    assert old.exists()
    extension.lay_out_translator(site, None)

    found = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in old.parent.iterdir()}
    assert found == files


def test_other_formats_than_pages_get_no_model(extension, tmp_path, monkeypatch):
    monkeypatch.setattr(extension, "page_files", lambda: {f"{PAGE_FOLDER}/new-0.js": "first"})
    catalogue = SimpleNamespace(outdir=tmp_path, builder=SimpleNamespace(format=""))
    extension.lay_out_translator(catalogue, None)
    assert not list(tmp_path.iterdir())


def test_the_book_has_the_model_that_is_shipped(book):
    found = {path.relative_to(book).as_posix(): path.read_text() for path in (book / PAGE_FOLDER).glob("*")}
    shipped = page_files()
    assert found.keys() == shipped.keys()
    assert all(found[name] == text for name, text in shipped.items())


@pytest.mark.parametrize("folder_only", [False, True], ids=["server", "folder"])
def test_a_page_loads_it_and_translates(book, visit, folder_only):
    pages = [
        path for path in (book / "chapters").glob("*.html") if f'"{PAGE_FOLDER}/' in path.read_text("utf-8")
    ]
    if not pages:
        pytest.skip("No chapter shows the translator.")
    origin = {"origin": f"{book.as_uri()}/"} if folder_only else {}
    page = visit(f"chapters/{pages[0].name}", **origin)
    page.get_by_role("button", name="Load the model").click()
    line = page.locator(".explorer-translator .explorer-sentence")
    expect(line).to_contain_text("The translation: “", timeout=120_000)
