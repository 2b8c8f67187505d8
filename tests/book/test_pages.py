"""The book as a reader has it: built anew, in a browser, on a wide and on a narrow screen, light and dark."""

import functools
import io
import itertools
import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import matplotlib.image
import pytest
import yaml

from autograder.chapters import ROOT, chapter_paths, read_chapter, solution_source

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.").expect

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
FILES = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]
PAGES = [f"{file}.html" for file in FILES]
READ = {f"chapters/{path.stem}.html": read_chapter(path) for path in chapter_paths()}
CHAPTERS = list(READ)
HOME, MASKS, GLOSSARY = "book/index.html", "chapters/03_masks.html", "book/glossary.html"
GENERATION = "chapters/08_generation.html"
READY = ".explorer-ready .explorer-live"


def test_every_chapter_is_in_the_book():
    assert [page for page in PAGES if page.startswith("chapters/")] == CHAPTERS


def test_the_glossary_is_in_the_order_of_the_alphabet():
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    entries = text.partition("```{glossary}")[2].rpartition("```")[0].strip().split("\n\n")
    terms = [entry.splitlines()[0].lower() for entry in entries]
    assert len(terms) > 80 and terms == sorted(terms)


# Every page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_wider_than_a_narrow_screen(visit, path, dark):
    page = visit(path, width=360, dark=dark)
    assert page.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    sticking_out = """() => {
        const scrolls = (node) => node.closest("article") &&
            (getComputedStyle(node).overflowX === "auto" || scrolls(node.parentElement));
        return [...document.querySelectorAll("article *")]
            .filter((node) => node.checkVisibility() && node.getBoundingClientRect().right > 361)
            .filter((node) => !scrolls(node.parentElement))
            .map((node) => node.outerHTML.slice(0, 120));
    }"""
    assert page.evaluate(sticking_out) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_all_text_can_be_read(visit, path, dark):
    """WCAG's contrast of 4.5, for every text of the article, folded or not."""
    page = visit(path, dark=dark)
    page.evaluate("document.querySelectorAll('article details').forEach((details) => details.open = true)")
    page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finished))")
    assert page.evaluate(PALE_TEXTS) == []


PALE_TEXTS = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.canvas.width = canvas.canvas.height = 1;
    const paint = (colours) => {
        canvas.clearRect(0, 0, 1, 1);
        for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    };
    const luminance = (rgb) => {
        const linear = (x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
        const [r, g, b] = rgb.map((x) => linear(x / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (node) => getComputedStyle(node).backgroundColor;
    const grounds = (node) => node ? [...grounds(node.parentElement), ground(node)] : ["white"];
    const pale = new Set();
    const walker = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        const hidden = !walker.currentNode.data.trim() || !node.checkVisibility({ visibilityProperty: true });
        if (hidden || node.closest("script, style, svg, mjx-container, .headerlink")) continue;
        const behind = grounds(node);
        const levels = [paint(behind), paint([...behind, getComputedStyle(node).color])].map(luminance);
        const contrast = (Math.max(...levels) + 0.05) / (Math.min(...levels) + 0.05);
        const text = walker.currentNode.data.trim().slice(0, 40);
        if (contrast < 4.5) pale.add(`${contrast.toFixed(2)}: ${node.tagName}.${node.className}: ${text}`);
    }
    return [...pale];
}"""


@pytest.mark.parametrize("path", PAGES)
def test_headings_go_down_one_step_at_a_time(book, path):
    names = [tag for tag, _ in tags(book / path)]
    levels = [int(tag[1]) for tag in names[names.index("article") :] if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels)), levels


@pytest.mark.parametrize("path", PAGES)
def test_every_picture_says_what_it_shows(book, path):
    for tag, attributes in tags(book / path):
        is_logo = "logo__image" in attributes.get("class", "")  # it has its name beside it
        if tag == "img" and not is_logo:
            assert attributes.get("alt", "").strip(), attributes["src"]


@pytest.mark.parametrize("path", PAGES)
def test_every_link_inside_the_book_leads_somewhere(book, path):
    for tag, attributes in tags(book / path):
        address = urlsplit(attributes.get("href") or attributes.get("src") or "")
        if address.scheme or address.netloc or not (address.path or address.fragment):
            continue
        target = (book / path).parent / unquote(address.path) if address.path else book / path
        assert target.is_file(), f"<{tag}> leads to {address.path}"
        if address.fragment and target.suffix == ".html":
            ids = {attributes.get("id") for _, attributes in tags(target)}
            assert unquote(address.fragment) in ids, f"<{tag}> leads to {address.geturl()}"


def test_the_first_screen_says_what_this_is_and_has_something_to_move(visit):
    page = visit(HOME)
    height = page.viewport_size["height"]
    words = ("A book that is a course", "It is for programmers", "What is different:")
    for part in (*map(page.get_by_text, words), page.locator(READY)):
        assert part.bounding_box()["y"] + 200 < height
    doors = page.locator("article .sd-card-title").all_inner_texts()
    assert doors == ["Reader", "Student", "Instructor"]


def test_the_plan_says_which_chapters_are_written(visit):
    page = visit(HOME)
    written = page.locator("article table a").evaluate_all("links => links.map((link) => link.pathname)")
    assert [path.strip("/") for path in written] == CHAPTERS


# Chapters


@pytest.mark.parametrize("path", CHAPTERS)
def test_formulas_are_drawn_and_numbered(visit, path):
    page = visit(path)
    formulas = page.locator("article .math")
    expect(page.locator("article .math > mjx-container > svg")).to_have_count(formulas.count())
    assert formulas.count() > 5
    assert page.locator("mjx-merror, [data-mjx-error], [mathcolor=red]").count() == 0, "a wrong formula"
    text = page.locator("article").inner_text()
    assert not re.search(r"\\\(|\\\[|\\frac|\\sum|\\operatorname", text)
    numbers = [number.rstrip("#") for number in page.locator("article .eqno").all_inner_texts()]
    assert numbers == [f"({READ[path].number}.{n})" for n in range(1, len(numbers) + 1)]
    assert numbers


@pytest.mark.parametrize("path", CHAPTERS)
def test_chapters_keep_their_number_in_sections_figures_and_exercises(visit, path):
    page, chapter = visit(path), READ[path].number
    assert page.locator("article h1").inner_text().startswith(f"{chapter}. ")
    for numbers, name in (("h2 .section-number", "{}.{}."), (".caption-number", "Fig. {}.{}")):
        found = [text.strip() for text in page.locator(f"article section {numbers}").all_inner_texts()]
        found = [text for text in found if not text.startswith("Exercise")]
        assert found == [name.format(chapter, n) for n in range(1, len(found) + 1)]
        assert found
    titles = page.locator(".exercise > .admonition-title").all_inner_texts()
    numbers = [title.split(" (")[0].strip() for title in titles]
    assert numbers == [f"Exercise {task.number}" for task in READ[path].tasks]


@pytest.mark.parametrize("path", CHAPTERS)
def test_hints_and_solutions_are_folded_until_asked(visit, path):
    page = visit(path)
    for task in READ[path].tasks:
        box = page.locator(f"[id='ex-{task.name}']")
        folded = box.locator("details")
        *hints, title = [text.strip() for text in folded.locator("summary").all_inner_texts()]
        assert [hint.split(":")[0] for hint in hints] == ["Hint 1", "Hint 2", "Hint 3"]
        assert title == "Solution"
        solution = folded.last.locator("pre")
        expect(solution).to_be_hidden()
        expect(folded.first.locator("p").first).to_be_hidden()
        folded.last.locator("summary").dispatch_event("click")
        expect(solution).to_be_visible()
        assert solution.inner_text().strip() == solution_source(READ[path].topic, task.name).strip()


@pytest.mark.parametrize("path", CHAPTERS)
def test_visible_tests_are_folded_and_have_passed(visit, path):
    page = visit(path)
    cells = page.locator(".cell.tag_tests")
    assert cells.count() == len(READ[path].tasks)
    for cell in cells.all():
        expect(cell.locator(".cell_input pre")).to_be_hidden()
        expect(cell.locator(".cell_output")).to_contain_text("all visible tests pass")
    cells.first.locator("summary").click()
    expect(cells.first.locator(".cell_input pre")).to_contain_text("assert")


@pytest.mark.parametrize("path", CHAPTERS)
def test_a_chapter_has_an_explorer_that_lives(visit, path):
    expect(visit(path).locator(READY).first).to_be_visible()


@pytest.mark.parametrize("path", [HOME, MASKS])
def test_an_explorer_answers_to_a_click_and_to_a_drag(visit, path):
    page = visit(path)
    explorer = page.locator(READY)
    allowed = explorer.get_by_role("gridcell", selected=True)
    weights = explorer.get_by_role("cell")
    before, painted = weights.all_inner_texts(), allowed.count()

    explorer.get_by_role("gridcell", name="query I, key [begin]:").click()
    expect(allowed).to_have_count(painted - 1)
    assert weights.all_inner_texts() != before

    first_row = explorer.get_by_role("gridcell")
    start, end = first_row.nth(2).bounding_box(), first_row.nth(4).bounding_box()
    page.mouse.move(start["x"] + 9, start["y"] + 9)
    page.mouse.down()
    page.mouse.move(end["x"] + 9, end["y"] + 9, steps=8)
    page.mouse.up()
    expect(allowed).to_have_count(painted - 1 + 3)


@pytest.mark.parametrize("path", [HOME, MASKS])
def test_the_book_opens_from_a_folder_without_a_server(visit, book, path):
    page = visit(path, origin=f"{book.as_uri()}/")
    expect(page.locator(READY).get_by_role("gridcell").first).to_be_visible()
    if path == MASKS:
        expect(page.locator("mjx-container").first).to_be_visible()


@pytest.mark.parametrize(
    "path, image",
    [(MASKS, "#fig-masks img"), (GENERATION, "img[src*=generation]")],
    ids=["figure", "benchmark"],
)
def test_figures_are_dark_on_a_dark_page(visit, path, image):
    for dark in (False, True):
        figure = visit(path, dark=dark).locator(image)
        figure.scroll_into_view_if_needed()
        picture = matplotlib.image.imread(io.BytesIO(figure.screenshot()))[..., :3]
        corners = picture[[2, 2, -3, -3], [2, -3, 2, -3]]
        page = [0x12 / 255] * 3 if dark else [1.0] * 3
        assert abs(corners - page).max() < 0.02, "the ground of a figure is that of the page"
        ink = picture.mean(axis=-1)
        assert (ink.max() > 0.8) if dark else (ink.min() < 0.2), "ink stands out from it"
        blue = (picture[..., 2] - picture[..., 0]) > 0.3
        assert blue.mean() > 0.1, "what is blue stays blue"


def test_a_narrow_screen_scrolls_code_figures_and_tables_in_their_own_boxes(visit):
    page = visit(MASKS, width=360)
    scrolling = """(selector) => [...document.querySelectorAll(`article ${selector}`)]
        .filter((box) => { box.scrollLeft = 9; return box.scrollLeft === 9; }).length"""
    boxes = ("div.highlight pre", ".cell_output figure", ".pst-scrollable-table-container", "mjx-container")
    for selector in boxes:
        assert page.evaluate(scrolling, selector) > 0, selector
    assert page.locator("#fig-masks img").bounding_box()["width"] > 500, "labels can be read"
    caption = page.locator("#fig-masks figcaption").bounding_box()
    assert caption["x"] >= 0
    assert caption["x"] + caption["width"] <= 360


def test_a_table_of_numbers_fits_a_narrow_screen(visit):
    page = visit("chapters/07_transformer.html", width=390)
    box = page.locator(".pst-scrollable-table-container:has(td.text-right)")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert box.locator("td.text-right").first.bounding_box()["height"] < 60, "a pair is in one line"


# Buttons and search


@pytest.mark.parametrize("path", PAGES)
def test_colab_opens_a_chapters_notebook_and_nothing_else(book, path):
    addresses = [attributes.get("href", "") for _, attributes in tags(book / path)]
    links = [address for address in addresses if "colab" in address]
    if path not in CHAPTERS:
        assert links == []
        return
    notebook = path.replace(".html", ".ipynb")
    name = CONFIG["repository"]["url"].removeprefix("https://github.com/")
    branch = CONFIG["repository"]["branch"]
    assert links == [f"https://colab.research.google.com/github/{name}/blob/{branch}/{notebook}"]
    assert (ROOT / notebook).is_file()


@pytest.mark.parametrize("path", CHAPTERS)
def test_the_notebook_to_download_is_the_students(book, path):
    is_button = "btn-download-notebook-button"
    links = [found["href"] for _, found in tags(book / path) if is_button in found.get("class", "")]
    (downloaded,) = [(book / path).parent / link for link in links]
    committed = ROOT / path.replace(".html", ".ipynb")
    assert json.loads(downloaded.read_text("utf-8")) == json.loads(committed.read_text("utf-8"))


FINDS = {
    "padding": [MASKS, GLOSSARY],
    "scaled_dot_product_attention": [MASKS],
    "掩码": [GLOSSARY],
    "注意力": [GLOSSARY],
}


@pytest.mark.parametrize("words, pages", FINDS.items(), ids=FINDS)
def test_the_search_finds(visit, words, pages):
    page = visit(GLOSSARY)
    page.locator(".search-button__button:visible").first.click()
    page.get_by_role("searchbox").first.fill(words)
    page.keyboard.press("Enter")
    for path in pages:
        expect(page.locator(f"#search-results li a[href*='{path}']").first).to_be_visible()


def test_light_and_dark_can_be_chosen(visit):
    page = visit(MASKS)
    seen = set()
    for _ in range(3):
        page.locator(".theme-switch-button:visible").click()
        seen.add(page.evaluate("document.documentElement.dataset.mode"))
        seen.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert {"light", "dark", "rgb(255, 255, 255)", "rgb(18, 18, 18)"} <= seen


# Reading HTML


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, {name: value or "" for name, value in attributes}))


@functools.cache
def tags(path):
    """Every tag of a page with its attributes."""
    parser = _Tags()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser.found
