"""The attention explorer as a reader of a published page has it: the numbers are PyTorch's."""

import json

import pytest
import torch

from companion.explorers import AttentionExplorer
from companion.explorers.self_attention import attend

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.").expect

TOKENS = ["I", "am", "an", "engineer"]
KEYS = [[1.6, 0.6], [0.5, 1.5], [-1.4, 0.9], [0.9, -1.2]]
VALUES = [[1.2, 0.9], [-0.4, 1.3], [-1.3, -0.2], [0.6, -1.2]]


def explorer(**options):
    return AttentionExplorer(TOKENS, KEYS, VALUES, **options)


def handle(root):
    return root.get_by_role("slider", name="query", exact=True)


def sentence(root):
    return root.locator(".explorer-sentence")


def shown(root):
    """Scores, weights and output, as the page has them."""
    rows = root.locator("tr[data-weight]").evaluate_all(
        "rows => rows.map(row => [Number(row.dataset.score), Number(row.dataset.weight)])"
    )
    output = json.loads(root.locator("[data-output]").get_attribute("data-output"))
    scores, weights = torch.tensor(rows, dtype=torch.float64).T
    return scores, weights, torch.tensor(output, dtype=torch.float64)


def by_torch(explorer):
    double = {"dtype": torch.float64}
    query, keys = torch.tensor(explorer.query, **double), torch.tensor(explorer.key_points, **double)
    scores = keys @ query * (1 if explorer.scaled else explorer.size**0.5)
    hidden = ~torch.tensor(explorer.mask)
    weights = scores.masked_fill(hidden, -torch.inf).softmax(-1).masked_fill(hidden, 0.0)
    return scores, weights, weights @ torch.tensor(explorer.value_points, **double)


def assert_shows(root, explorer):
    for found, expected in zip(shown(root), by_torch(explorer), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scaled", [True, False])
def test_scores_weights_and_output_are_those_of_torch(open_page, scaled):
    random = torch.Generator().manual_seed(3)
    explorers = []
    for tokens, size in [(1, 1), (2, 16), (5, 64), (9, 1024)]:
        keys, values = 4 * torch.rand(2, tokens, 2, generator=random) - 2
        mask = torch.rand(tokens, generator=random) < 0.7
        query = (4 * torch.rand(2, generator=random) - 2).round(decimals=2)
        names = [f"t{index}" for index in range(tokens)]
        explorers.append(
            AttentionExplorer(names, keys, values, query=query, mask=mask, size=size, scaled=scaled)
        )
    page = open_page(*explorers)
    for one, root in zip(explorers, page.locator(".explorer-live").all(), strict=True):
        assert_shows(root, one)
        weights, output = attend(one.query, one.key_points, one.value_points, one.mask, one.size, one.scaled)
        expected = by_torch(one)
        assert weights == pytest.approx(expected[1].numpy())
        assert output == pytest.approx(expected[2].numpy())


def test_the_query_follows_the_pointer(open_page):
    page = open_page(explorer(query=[0.0, 0.0]))
    assert shown(page)[1].tolist() == pytest.approx([0.25] * 4)
    box = page.locator("svg.explorer-drag").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    unit = box["width"] / 4.4

    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] - 1.5 * unit, middle[1] - unit, steps=5)
    page.mouse.up()
    page.mouse.move(*middle)

    expect(sentence(page)).to_contain_text("Most weight goes to an")
    x, _, y, _ = handle(page).get_attribute("aria-valuetext").split()
    assert (float(x), float(y)) == pytest.approx((-1.5, 1.0), abs=0.05)
    assert_shows(page, explorer(query=[float(x), float(y)]))


def test_the_keyboard_moves_the_query_and_stays_in_the_plane(open_page):
    page = open_page(explorer(query=[0.0, 0.0]))
    page.keyboard.press("Tab")
    expect(handle(page)).to_be_focused()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Shift+ArrowRight"):
        page.keyboard.press(key)
    expect(handle(page)).to_have_attribute("aria-valuetext", "0.70 across, -0.10 up")
    assert_shows(page, explorer(query=[0.7, -0.1]))
    for _ in range(9):
        page.keyboard.press("Shift+ArrowUp")
    expect(handle(page)).to_have_attribute("aria-valuetext", "0.70 across, 2.00 up")


def test_without_the_scale_the_softmax_saturates_as_d_grows(open_page):
    one = explorer()
    page = open_page(one)
    expect(page.get_by_label("divided by √d")).to_be_checked()
    page.get_by_label("numbers in a vector").fill("10")
    one.size = 1024
    assert_shows(page, one)
    expect(sentence(page)).to_have_attribute("data-verdict", "good")

    page.get_by_label("as they are").check()

    one.scaled = False
    assert_shows(page, one)
    expect(page.get_by_text("d = 1024")).to_be_visible()
    expect(sentence(page)).to_have_attribute("data-verdict", "saturated")
    page.get_by_label("numbers in a vector").fill("0")
    expect(sentence(page)).to_have_attribute("data-verdict", "good")


def test_a_hidden_key_weighs_nothing_and_all_hidden_give_zeros(open_page):
    page = open_page(explorer())
    page.get_by_role("button", name="am").click()
    assert_shows(page, explorer(mask=[True, False, True, True]))
    expect(page.get_by_role("button", name="am")).to_have_attribute("aria-pressed", "false")
    for name in ("I", "an", "engineer"):
        page.get_by_role("button", name=name, exact=True).click()
    expect(sentence(page)).to_have_text("The query may look nowhere: weights and output are zeros.")
    _, weights, output = shown(page)
    assert (weights == 0).all()
    assert (output == 0).all()


def test_a_narrow_page_does_not_scroll_sideways_and_a_finger_drags(open_page):
    page = open_page(explorer(), style="margin: 0; padding-bottom: 2000px", phone=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator("svg.explorer-drag").bounding_box()
    points = [{"x": box["x"] + 60, "y": box["y"] + step} for step in (60, 90, 120)]
    touch = page.context.new_cdp_session(page)
    before = handle(page).get_attribute("aria-valuetext")

    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points[:1]})
    for point in points[1:]:
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    assert handle(page).get_attribute("aria-valuetext") != before
    assert page.evaluate("scrollY") == 0


def test_two_explorers_do_not_disturb_one_another(open_page):
    page = open_page(explorer(), explorer())
    first, second = page.locator(".explorer-live").all()
    second.get_by_label("as they are").check()
    second.get_by_role("button", name="am").click()
    assert_shows(first, explorer())
    expect(first.get_by_label("divided by √d")).to_be_checked()
    assert page.evaluate("document.querySelectorAll('[id]').length") == 0


def test_without_javascript_the_still_is_shown(open_page):
    page = open_page(explorer(), java_script_enabled=False)
    still = page.get_by_role("img", name="A plane with a key for each token")
    expect(still).to_be_visible()
    expect(still.locator("svg")).to_have_count(2)
    weight = by_torch(explorer())[1][1].item()
    expect(still.get_by_text(f"am {weight:.2f}")).to_be_visible()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": "I am"}, "list of one token or more"),
        ({"key_points": KEYS[:3]}, r"key_points has shape \(3, 2\), but it must be \(4, 2\)"),
        ({"value_points": [[1.0], [2.0, 3.0]]}, "value_points must hold numbers"),
        ({"value_points": [[9.0, 0.0]] * 4}, "value_points must lie in the plane"),
        ({"query": [1.0, 2.0, 0.5]}, "query has shape"),
        ({"query": [float("nan"), 0.0]}, "query must lie in the plane"),
        ({"mask": [True]}, "mask must hold 4 booleans"),
        ({"mask": [1, 0, 1, 1]}, "mask must hold 4 booleans"),
        ({"size": 3}, "size is 3, but it must be a power of two"),
    ],
)
def test_what_does_not_fit_is_one_clear_sentence(arguments, message):
    right = {"tokens": TOKENS, "key_points": KEYS, "value_points": VALUES}
    with pytest.raises(ValueError, match=message) as error:
        AttentionExplorer(**{**right, **arguments})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("tokens", ["I"]), ("query", [3.0, 0.0]), ("mask", [True]), ("size", 5), ("key_points", [[1.0, 1.0]])],
)
def test_a_trait_set_to_what_does_not_fit_keeps_its_value(name, value):
    one = explorer()
    before = one.page_state()
    with pytest.raises(ValueError, match=name):
        setattr(one, name, value)
    assert one.page_state() == before
