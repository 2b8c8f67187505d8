"""The explorers as a reader of a published page has them: a file and a browser, no kernel, no network."""

import numpy as np
import pytest
import torch

from companion.explorers import MaskExplorer
from companion.explorers.explorer import Explorer
from companion.explorers.masks import RULES, attention_weights

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.").expect

TOKENS = ["[begin]", "I", "am", "an", "engineer"]
CAUSAL = torch.ones(5, 5).tril().bool()
PACKED = torch.block_diag(torch.ones(2, 2), torch.ones(3, 3)).bool() & CAUSAL
PRESETS = {"causal": CAUSAL, "packed": PACKED}


def cell(root, query, key):
    return root.get_by_role("gridcell", name=f"query {query}, key {key}:")


def sentence(root):
    return root.locator(".explorer-sentence")


def row_of_weights(root, query):
    return root.get_by_role("table").locator(f'[data-query="{query}"]')


def mask_on(root):
    rows = root.get_by_role("grid").evaluate(
        """grid => [...grid.querySelectorAll('[role="row"][data-query]')].map(row =>
            [...row.querySelectorAll('[role="gridcell"]')].map(cell => cell.ariaSelected === "true"))"""
    )
    return torch.tensor(rows)


def weights_on(root):
    rows = root.get_by_role("table").evaluate(
        """table => [...table.querySelectorAll('[role="row"][data-query]')].map(row =>
            [...row.querySelectorAll("[data-weight]")].map(cell => Number(cell.dataset.weight)))"""
    )
    return torch.tensor(rows)


def weights_by_torch(explorer):
    scores, mask = explorer.scale * torch.tensor(explorer.scores), torch.tensor(explorer.mask)
    if explorer.rule == "after":
        return scores.softmax(-1) * mask
    return torch.where(mask, scores, scores + float(explorer.rule)).softmax(-1).nan_to_num(0.0)


def drag(page, start, end, steps=1):
    def centre(locator):
        box = locator.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    page.mouse.move(*centre(start))
    page.mouse.down()
    page.mouse.move(*centre(end), steps=steps)
    page.mouse.up()


# What the reader does


def test_a_preset_shows_its_mask_and_is_pressed(open_page):
    page = open_page(MaskExplorer(TOKENS, presets=PRESETS))
    causal, packed = (page.get_by_role("button", name=name) for name in PRESETS)
    assert mask_on(page).equal(CAUSAL)
    expect(causal).to_have_attribute("aria-pressed", "true")

    packed.click()

    assert mask_on(page).equal(PACKED)
    expect(packed).to_have_attribute("aria-pressed", "true")
    expect(causal).to_have_attribute("aria-pressed", "false")


def test_a_click_toggles_one_cell_and_releases_the_preset(open_page):
    page = open_page(MaskExplorer(TOKENS, presets=PRESETS))
    expected = CAUSAL.clone()
    expected[2, 4] = True

    painted = cell(page, "am", "engineer")

    painted.click()
    assert mask_on(page).equal(expected)
    expect(painted).to_have_attribute("aria-label", "query am, key engineer: may look")
    expect(page.get_by_role("button", name="causal")).to_have_attribute("aria-pressed", "false")

    painted.click()
    assert mask_on(page).equal(CAUSAL)
    expect(painted).to_have_attribute("aria-label", "query am, key engineer: may not look")


@pytest.mark.parametrize("steps", [1, 20])
def test_a_drag_paints_what_the_first_cell_began(open_page, steps):
    page = open_page(MaskExplorer(TOKENS, presets=PRESETS))
    expected = CAUSAL.clone()
    expected[3] = False

    drag(page, cell(page, "an", "[begin]"), cell(page, "an", "engineer"), steps)

    assert mask_on(page).equal(expected)
    page.mouse.move(0, 0)
    assert mask_on(page).equal(expected), "The stroke went on after the button was released."


def test_a_finger_paints_and_does_not_scroll(open_page):
    page = open_page(MaskExplorer(TOKENS, presets=PRESETS), style="padding-bottom: 2000px", phone=True)
    boxes = [cell(page, query, "engineer").bounding_box() for query in ("[begin]", "I", "am", "an")]
    points = [{"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2} for box in boxes]
    touch = page.context.new_cdp_session(page)

    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points[:1]})
    for point in points[1:]:
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    assert mask_on(page)[:, 4].all()
    assert mask_on(page)[:, :4].equal(CAUSAL[:, :4])
    assert page.evaluate("scrollY") == 0


def test_the_keyboard_does_all_of_it(open_page):
    page = open_page(MaskExplorer(TOKENS, presets=PRESETS))
    assert page.locator('[role="gridcell"][tabindex="0"]').count() == 1

    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(cell(page, "[begin]", "[begin]")).to_be_focused()
    for key in ("ArrowUp", "ArrowDown", "ArrowRight", "ArrowRight", "Space"):
        page.keyboard.press(key)

    expect(cell(page, "I", "am")).to_be_focused()
    expect(cell(page, "I", "am")).to_have_attribute("aria-selected", "true")
    expect(sentence(page)).to_contain_text("I looks at [begin]")
    page.keyboard.press("Enter")
    assert mask_on(page).equal(CAUSAL)
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    expect(cell(page, "I", "am")).to_be_focused()


def test_the_sentence_follows_the_pointer(open_page):
    page = open_page(MaskExplorer(TOKENS, scores=[[0.0] * 5] * 5, mask=CAUSAL))
    cell(page, "am", "engineer").hover()
    expect(sentence(page)).to_have_text("am looks at [begin] 0.33, I 0.33, am 0.33.")
    row_of_weights(page, 1).locator("[data-weight]").first.hover()
    expect(sentence(page)).to_have_text("I looks at [begin] 0.50, I 0.50.")
    expect(sentence(page)).to_have_attribute("aria-live", "polite")


def test_a_row_that_may_look_nowhere(open_page):
    mask = CAUSAL.clone()
    mask[3] = False
    page = open_page(MaskExplorer(TOKENS, mask=mask))
    cell(page, "an", "I").hover()
    row = row_of_weights(page, 3)

    assert weights_on(page)[3].tolist() == [0.0] * 5
    expect(row.get_by_text("looks nowhere: zeros")).to_be_visible()
    expect(row.locator("[data-sum]")).to_have_text("0.00")
    expect(sentence(page)).to_have_text("an looks nowhere: its weights are zeros.")

    page.get_by_label("before, with −1e9").check()

    assert weights_on(page)[3] == pytest.approx(torch.full((5,), 0.2))
    expect(row.get_by_text("looks nowhere: zeros")).to_be_hidden()
    expect(row.locator("[data-sum]")).to_have_text("1.00leaks")
    expect(sentence(page)).to_contain_text("engineer 0.20, although the mask lets it look nowhere.")


def test_a_mask_after_the_softmax_leaves_rows_that_do_not_sum_to_one(open_page):
    page = open_page(MaskExplorer(TOKENS, scores=[[0.0] * 5] * 5, mask=CAUSAL))
    assert weights_on(page).sum(-1) == pytest.approx(torch.ones(5))
    expect(page.get_by_text("not 1", exact=True)).to_have_count(0)

    page.get_by_label("after the softmax").check()

    assert weights_on(page).sum(-1) == pytest.approx(torch.arange(1, 6) / 5)
    expect(page.get_by_text("not 1", exact=True)).to_have_count(4)
    expect(row_of_weights(page, 1).get_by_label("sum 0.40 not 1")).to_be_visible()
    expect(sentence(page)).to_contain_text("The weights sum to 0.60, not to 1.")


def test_the_slider_scales_the_scores(open_page):
    explorer = MaskExplorer(TOKENS, mask=CAUSAL)
    page = open_page(explorer)
    slider = page.get_by_label("size of the scores")
    expect(slider).to_have_value("1")
    for value in (0, 2.5, 4):
        slider.fill(str(value))
        explorer.scale = value
        assert weights_on(page) == pytest.approx(weights_by_torch(explorer), abs=1e-6)


# What the page must be


@pytest.mark.parametrize("rule", RULES)
def test_the_weights_are_those_of_torch(open_page, rule):
    random = torch.Generator().manual_seed(5)
    explorers = []
    for queries, keys, scale in [(2, 7, 0.5), (6, 6, 1.0), (5, 3, 4.0), (1, 1, 1.0), (9, 12, 2.0)]:
        scores = 2 * torch.randn(queries, keys, generator=random)
        mask = torch.rand(queries, keys, generator=random) < 0.4
        mask[0] = False
        names = ([f"q{index}" for index in range(queries)], [f"k{index}" for index in range(keys)])
        explorers.append(MaskExplorer(*names, scores, mask, scale=scale, rule=rule))
    page = open_page(*explorers)

    for explorer, root in zip(explorers, page.locator(".explorer-live").all(), strict=True):
        expected = weights_by_torch(explorer)
        assert weights_on(root) == pytest.approx(expected, abs=1e-6)
        still = attention_weights(explorer.scores, explorer.mask, explorer.scale, explorer.rule)
        assert still == pytest.approx(expected.numpy(), abs=1e-6)


def test_two_explorers_on_a_page_do_not_disturb_one_another(open_page):
    page = open_page(*[MaskExplorer(TOKENS, presets=PRESETS)] * 2)
    first, second = page.locator(".explorer-live").all()

    cell(second, "[begin]", "I").click()
    second.get_by_label("after the softmax").check()
    second.get_by_label("size of the scores").fill("3")

    assert mask_on(first).equal(CAUSAL)
    assert mask_on(second)[0, 1]
    expect(first.get_by_label("before the softmax, with −inf")).to_be_checked()
    expect(first.get_by_label("size of the scores")).to_have_value("1")
    assert page.evaluate("document.querySelectorAll('[id]').length") == 0


@pytest.mark.parametrize("options", [{"phone": True}, {"viewport": {"width": 300, "height": 700}}])
def test_a_narrow_page_does_not_scroll_sideways(open_page, options):
    long = [f"token{index}" for index in range(16)]
    page = open_page(MaskExplorer(TOKENS, presets=PRESETS), MaskExplorer(long), style="margin: 0", **options)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    first, second = (page.locator(".explorer-panel").nth(index).bounding_box() for index in range(2))
    assert second["y"] >= first["y"] + first["height"], "The grids should stand one under the other."
    scroll = page.locator(".explorer-scroll").first
    assert scroll.evaluate("node => node.scrollWidth <= node.clientWidth"), "Five tokens fit."


def test_the_grids_stand_side_by_side_where_there_is_room(open_page):
    page = open_page(MaskExplorer([*TOKENS, "[pad]"]), viewport={"width": 680, "height": 700})
    mask, weights = (page.locator(".explorer-panel").nth(index).bounding_box() for index in range(2))
    assert mask["y"] == weights["y"]
    for query in range(6):
        heads = page.locator(f'[role="row"][data-query="{query}"]').all()
        assert heads[0].bounding_box()["y"] == pytest.approx(heads[1].bounding_box()["y"], abs=1)


def test_without_javascript_the_still_is_shown(open_page):
    page = open_page(MaskExplorer(TOKENS, mask=CAUSAL), java_script_enabled=False)
    still = page.get_by_role("img", name="A mask to paint on")
    expect(still).to_be_visible()
    expect(still.locator("svg")).to_have_count(2)
    expect(still.get_by_text("engineer")).to_have_count(4)


def test_print_takes_the_still(open_page):
    page = open_page(MaskExplorer(TOKENS))
    expect(page.locator(".explorer-still")).to_be_hidden()
    page.emulate_media(media="print")
    expect(page.locator(".explorer-still")).to_be_visible()
    expect(page.locator(".explorer-live")).to_be_hidden()


def test_on_a_dark_page_of_the_book_there_is_no_light_sheet(open_page):
    page = open_page(MaskExplorer(TOKENS), style="color: #ced6dd; background: #14181e")
    page.add_style_tag(content="html body .text_html:not(:has(table.dataframe)) { background: #ced6dd; }")
    page.evaluate(
        """() => {
            const sheet = document.createElement("div");
            sheet.className = "output text_html";
            const explorer = document.querySelector(".explorer-page");
            explorer.replaceWith(sheet);
            sheet.append(explorer);
        }"""
    )
    expect(page.locator(".text_html")).to_have_css("background-color", "rgba(0, 0, 0, 0)")
    expect(sentence(page)).to_have_css("color", "rgb(206, 214, 221)")


def test_tokens_are_text_and_nothing_else(open_page):
    tokens = ["</script><b>", "<!-- <script>", "&amp;", "\"'", "工程师"]
    page = open_page(MaskExplorer(tokens))
    assert page.get_by_role("grid").get_by_role("rowheader").all_inner_texts() == tokens
    assert page.locator("b", has_text="&amp;").count() == 0
    without = open_page(MaskExplorer(tokens), java_script_enabled=False)
    expect(without.locator("svg text", has_text="<!-- <script>").first).to_be_visible()


# The Python side


def test_two_runs_give_the_same_output():
    first, second = (MaskExplorer(TOKENS, presets=PRESETS)._repr_mimebundle_()[0] for _ in range(2))
    assert "application/vnd.jupyter.widget-view+json" in first
    assert first["text/html"] == second["text/html"]
    assert first["text/plain"] == second["text/plain"]


def test_painting_and_presets_agree_in_python():
    explorer = MaskExplorer(TOKENS, presets=PRESETS)
    assert (explorer.mask, explorer.preset) == (CAUSAL.tolist(), "causal")
    explorer.preset = "packed"
    assert explorer.mask == PACKED.tolist()
    explorer.mask = torch.ones(5, 5).bool()
    assert explorer.preset == ""
    explorer.set_state({"mask": CAUSAL.tolist(), "preset": "causal"})
    assert (explorer.mask, explorer.preset) == (CAUSAL.tolist(), "causal")


def test_masks_and_scores_come_from_torch_numpy_or_lists():
    masks = CAUSAL, CAUSAL.numpy(), CAUSAL.tolist()
    assert all(MaskExplorer(TOKENS, mask=mask).mask == CAUSAL.tolist() for mask in masks)
    scores = torch.zeros(5, 5), np.zeros((5, 5), dtype=int), [[0] * 5] * 5
    assert all(MaskExplorer(TOKENS, scores=values).scores == [[0.0] * 5] * 5 for values in scores)
    assert MaskExplorer(TOKENS).scores == MaskExplorer(TOKENS).scores


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query_tokens": "I am"}, "list of one token or more"),
        ({"query_tokens": []}, "list of one token or more"),
        ({"mask": [[True] * 4] * 5}, r"mask has shape \(5, 4\), but .* ask for \(5, 5\)"),
        ({"mask": [[True], [True, False]]}, "rows differ in length"),
        ({"mask": [[0.0] * 5] * 5}, "a mask holds booleans"),
        ({"presets": {"causal": [[True]]}}, "preset 'causal' has shape"),
        ({"scores": [[0.0] * 5] * 4}, "scores has shape"),
        ({"scores": [[float("-inf")] * 5] * 5}, "finite"),
        ({"scale": -1.0}, "scale is -1.0"),
        ({"rule": "before"}, "rule is 'before'"),
    ],
)
def test_what_does_not_fit_is_one_clear_sentence(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        MaskExplorer(**{"query_tokens": TOKENS, **arguments})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mask", [[True]]),
        ("scores", [[1.0]]),
        ("query_tokens", ["I"]),
        ("preset", "prefix"),
        ("scale", -1.0),
        ("rule", "inf"),
        ("presets", {"one": [[True]]}),
    ],
)
def test_a_trait_set_to_what_does_not_fit_keeps_its_value(name, value):
    explorer = MaskExplorer(TOKENS, presets=PRESETS)
    before = explorer.page_state()
    with pytest.raises(ValueError, match=name.rstrip("s")):
        setattr(explorer, name, value)
    assert explorer.page_state() == before


def test_an_explorer_needs_a_still():
    with pytest.raises(NotImplementedError, match=r"Explorer needs a still\(\)"):
        Explorer().still()
