"""The position explorer as a reader of a published page has it, against the reference of chapter 02."""

import pytest
import torch

from companion.explorers import PositionExplorer
from companion.explorers.embeddings import VIEWS, hands, product
from solutions.embeddings import rotate, sinusoidal_positions

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.").expect


def tips_on(root):
    """The tips of all hands on a page: two tensors (pair, 2), right and up."""
    found = root.locator(".explorer-clocks").evaluate(
        """clocks => ["first", "second"].map(name => [...clocks.querySelectorAll(`[data-hand=${name}]`)].map(
            hand => [Number(hand.dataset.right), Number(hand.dataset.up)]))"""
    )
    return torch.tensor(found, dtype=torch.float32)


def product_on(root):
    return float(root.locator(".explorer-sentence").get_attribute("data-product"))


def vectors(explorer):
    """The two vectors that the hands show, by the reference."""
    if explorer.view == "sinusoidal":
        return sinusoidal_positions(explorer.length, len(explorer.query))[[explorer.first, explorer.second]]
    both = torch.tensor([explorer.query, explorer.key])
    return rotate(both, torch.tensor([explorer.first, explorer.second]), explorer.base)


def tips_by_reference(explorer):
    found = vectors(explorer)
    if explorer.view == "sinusoidal":
        return found.unflatten(-1, (-1, 2))
    first, second = found.chunk(2, dim=-1)
    return torch.stack([second, first], dim=-1)


@pytest.mark.parametrize("view", VIEWS)
def test_the_hands_and_the_product_are_those_of_the_reference(open_page, view):
    random = torch.Generator().manual_seed(2)
    explorers = []
    for places, first, second in [(8, 5, 12), (4, 31, 2), (12, 0, 0), (2, 63, 1)]:
        query, key = torch.randn(2, places, generator=random).tolist()
        explorers.append(PositionExplorer(first, second, view, query, key))
    page = open_page(*explorers)
    for explorer, root in zip(explorers, page.locator(".explorer-live").all(), strict=True):
        expected = tips_by_reference(explorer)
        torch.testing.assert_close(tips_on(root), expected, rtol=0, atol=1e-5)
        still = torch.tensor([hands(explorer, which) for which in ("first", "second")])
        torch.testing.assert_close(still, expected, rtol=0, atol=1e-5)
        score = (vectors(explorer)[0] @ vectors(explorer)[1]).item()
        assert product_on(root) == pytest.approx(score, abs=1e-4)
        assert product(explorer) == pytest.approx(score, abs=1e-4)


def test_moving_one_position_turns_its_hands_alone(open_page):
    page = open_page(PositionExplorer(5, 12))
    before = tips_on(page)
    page.get_by_label("second position").fill("40")
    after = tips_on(page)
    assert after[0].equal(before[0])
    torch.testing.assert_close(after[1], tips_by_reference(PositionExplorer(5, 40))[1], rtol=0, atol=1e-5)
    expect(page.locator(".explorer-sentence")).to_contain_text("Positions 5 and 40")


@pytest.mark.parametrize("view", VIEWS)
def test_with_the_distance_kept_both_move_and_the_product_stays(open_page, view):
    page = open_page(PositionExplorer(5, 12, view))
    stayed = product_on(page)
    page.get_by_role("button", name="keep the distance").click()
    page.get_by_label("first position").fill("30")
    expect(page.get_by_label("second position")).to_have_value("37")
    assert product_on(page) == pytest.approx(stayed, abs=1e-9)
    page.get_by_label("first position").fill("63")
    expect(page.get_by_label("second position")).to_have_value("63")
    expect(page.get_by_label("first position")).to_have_value("56")
    assert product_on(page) == pytest.approx(stayed, abs=1e-9)


def test_the_angle_between_the_hands_is_told(open_page):
    page = open_page(PositionExplorer(5, 12))
    told = page.locator(".explorer-clock b")
    apart = [7 * 10_000 ** (-pair / 4) * 180 / torch.pi % 360 for pair in range(4)]
    for text, angle in zip(told.all_inner_texts(), apart, strict=True):
        assert float(text.partition("°")[0]) == pytest.approx(angle, abs=0.51 if angle >= 10 else 0.006)


def test_the_keyboard_does_all_of_it(open_page):
    page = open_page(PositionExplorer(5, 12))
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="rotary")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("first position")).to_have_value("6")
    expect(page.get_by_label("second position")).to_have_value("13")


def test_a_narrow_page_does_not_scroll_sideways(open_page):
    page = open_page(PositionExplorer(), style="margin: 0", phone=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_javascript_the_still_is_shown(open_page):
    page = open_page(PositionExplorer(), java_script_enabled=False)
    still = page.get_by_role("img", name="A row of clocks")
    expect(still).to_be_visible()
    expect(still.get_by_text("positions 5 (filled) and 12 (hollow)")).to_be_visible()


def test_two_runs_give_the_same_output():
    first, second = (PositionExplorer()._repr_mimebundle_()[0] for _ in range(2))
    assert first["text/html"] == second["text/html"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first": 64}, "positions go from 0 to 63|above both positions"),
        ({"second": -1}, "second is -1, but positions go from 0 to 63"),
        ({"view": "learned"}, "view is 'learned'"),
        ({"query": [1.0, 2.0]}, "query has 2 numbers and key 8"),
        ({"key": [1.0] * 7}, "key must hold finite numbers in pairs"),
        ({"query": [float("nan")] * 8}, "query must hold finite numbers"),
        ({"base": 0.5}, "base is 0.5"),
        ({"length": 12}, "positions go from 0 to 11|above both positions"),
    ],
)
def test_what_does_not_fit_is_one_clear_sentence(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        PositionExplorer(**arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"), [("first", 64), ("view", "x"), ("length", 3), ("base", 1.0), ("key", [1.0])]
)
def test_a_trait_set_to_what_does_not_fit_keeps_its_value(name, value):
    explorer = PositionExplorer()
    before = explorer.page_state()
    with pytest.raises(ValueError, match=name):
        setattr(explorer, name, value)
    assert explorer.page_state() == before
