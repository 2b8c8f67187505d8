"""What the tests of explorers share: a page on which to open them."""

import pytest
from pages import PHONE, is_outside


@pytest.fixture
def open_page(browser, tmp_path):
    """Opens explorers in a bare HTML file; in the end nothing may have failed or asked another host."""
    expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.").expect
    contexts, problems = [], []

    def watch(page):
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: problems.append(request.url) if is_outside(request.url) else None)

    def open_page(*explorers, style="", phone=False, **options):
        bundles = [explorer._repr_mimebundle_()[0]["text/html"] for explorer in explorers]
        file = tmp_path / "page.html"
        file.write_text(
            '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<style>body {{ {style} }}</style>{'<hr>'.join(bundles)}",
            encoding="utf-8",
        )
        options = PHONE | options if phone else options
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(5000)
        watch(page)
        page.goto(file.as_uri())
        if options.get("java_script_enabled", True):
            expect(page.locator(".explorer-ready")).to_have_count(len(explorers))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
