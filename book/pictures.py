"""Take the README's picture from the built book, light and dark: `make pictures`."""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "_build" / "html" / "chapters" / "03_masks.html"


def main() -> None:
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(
                viewport={"width": 800, "height": 1000}, color_scheme=scheme, device_scale_factor=2
            )
            page.goto(PAGE.as_uri())
            explorer = page.locator(".explorer-live").first
            explorer.get_by_role("button", name="decoder").click()
            explorer.screenshot(path=ROOT / "book" / "_static" / f"readme-{scheme}.png")
        browser.close()


if __name__ == "__main__":
    main()
