"""The explorer of the whole model: its numbers are those of the real one, and every part can be reached."""

import pytest

from companion.explorers import TransformerExplorer
from companion.explorers.transformer import CHOICES, PARTS
from solutions.transformer import Transformer

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.").expect

SIZES = {"vocab_size": 259, "d_model": 64, "n_heads": 4, "d_ff": 256, "n_layers": 3}


def counted(module):
    return sum(parameter.numel() for parameter in module.parameters())


def part(page, name):
    return page.get_by_role("group", name="parts of the model").get_by_role("button", name=name, exact=True)


def shown(page):
    bars = page.locator("[data-count]").all()
    return {bar.get_attribute("data-count"): int(bar.inner_text().replace(",", "")) for bar in bars}


@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("d_model", [64, 128])
def test_the_numbers_are_those_of_the_real_model(open_page, n_layers, d_model):
    sizes = {**SIZES, "n_layers": n_layers, "d_model": d_model}
    model = Transformer(**sizes, max_length=8)
    explorer = TransformerExplorer(**sizes)
    counts = explorer.parameters()
    assert counts["encoder"] == counted(model.encoder)
    assert counts["decoder"] == counted(model.decoder)
    assert sum(counts.values()) == counted(model)
    page = open_page(explorer)
    assert shown(page) == counts
    expect(page.locator(".explorer-total")).to_contain_text(f"{counted(model):,} parameters in all")


def test_untied_the_head_has_a_table_of_its_own(open_page):
    page = open_page(TransformerExplorer(**SIZES, part=7))
    expect(page.locator(".explorer-sentence")).to_contain_text("The table is the head")
    button = page.get_by_role("button", name="head tied to the table")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    assert shown(page)["head"] == shown(page)["table"] == 259 * 64
    expect(page.locator(".explorer-sentence")).to_contain_text("A table of its own: 16,576 parameters")


SHAPES = {
    "source": ["(8, 16)"],
    "embed the source": ["(8, 16, 64)", "259 tokens"],
    "encoder": ["(8, 16, 64)", "3 layers", "weights (8, 4, 16, 16)"],
    "memory": ["(8, 16, 64)"],
    "target": ["(8, 5)"],
    "embed the target": ["(8, 5, 64)", "no parameters more"],
    "decoder": ["(8, 5, 64)", "weights (8, 4, 5, 5)", "weights (8, 4, 5, 16)"],
    "head": ["(8, 5, 259)"],
}


def test_with_the_arrow_keys_one_walks_through_all_parts(open_page):
    assert tuple(SHAPES) == PARTS
    page = open_page(TransformerExplorer(**SIZES, batch=8, source=16, target=5, part=0))
    part(page, "source").focus()
    for name, said in SHAPES.items():
        expect(part(page, name)).to_be_focused()
        expect(part(page, name)).to_have_attribute("aria-pressed", "true")
        for words in said:
            expect(page.locator(".explorer-sentence")).to_contain_text(words)
        page.keyboard.press("ArrowUp")
    expect(part(page, "head")).to_be_focused()


@pytest.mark.parametrize("name", CHOICES)
def test_each_slider_goes_through_its_choices(open_page, name):
    page = open_page(TransformerExplorer())
    slider = page.get_by_role("slider", name=name, exact=True)
    slider.fill(str(len(CHOICES[name]) - 1))
    expect(slider).to_have_attribute("aria-valuetext", str(CHOICES[name][-1]))
    expect(page.get_by_text(f"{CHOICES[name][-1]:,}", exact=True).first).to_be_visible()


def test_a_finger_chooses_and_a_narrow_page_does_not_scroll_sideways(open_page):
    page = open_page(TransformerExplorer(), style="margin: 0", phone=True)
    part(page, "memory").tap()
    expect(part(page, "memory")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_javascript_the_still_shows_the_same_numbers(open_page):
    explorer = TransformerExplorer(**SIZES)
    page = open_page(explorer, java_script_enabled=False)
    still = page.get_by_role("img", name="A path through a Transformer")
    for count in explorer.parameters().values():
        expect(still.get_by_text(f"{count:,}", exact=True).first).to_be_visible()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"d_model": 65}, "d_model is 65: choose one of 64"), ({"part": 8}, "part is 8, but it must be")],
)
def test_what_does_not_fit_is_one_clear_sentence(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        TransformerExplorer(**arguments)
    assert "\n" not in str(error.value)
    explorer = TransformerExplorer()
    with pytest.raises(ValueError, match=message):
        setattr(explorer, *next(iter(arguments.items())))
