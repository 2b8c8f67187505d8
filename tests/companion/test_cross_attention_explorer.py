"""The cross-attention explorer on a published page: lines, numbers and words are those of the weights."""

import pytest
import torch

from companion.explorers import CrossAttentionExplorer

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.").expect

SOURCE, TARGET = list("我是一名工程师"), ["I", "am", "an", "engineer", "[end]"]
OTHER = ["他", "是", "老", "师"], ["He", "is", "a", "teacher"]


def weights(heads, target, source, seed=0):
    scores = torch.randn(heads, target, source, generator=torch.Generator().manual_seed(seed))
    return (2 * scores).softmax(dim=-1)


FIRST, SECOND = weights(3, 5, 7), weights(3, 4, 4, seed=1)
PAIRS = [(SOURCE, TARGET, FIRST), (*OTHER, SECOND)]


def word(page, name):
    return page.get_by_role("group", name="target words").get_by_role("button", name=name, exact=True)


def shown(page):
    tokens = page.locator("[data-token]").all()
    return torch.tensor([float(token.get_attribute("data-weight")) for token in tokens])


def widths(page):
    lines = page.locator(".explorer-sentences line").all()
    return torch.tensor([float(line.get_attribute("stroke-width")) for line in lines])


@pytest.mark.parametrize("way", ["hover", "focus", "click", "keys"])
def test_a_word_that_is_pointed_at_shows_where_it_looks(open_page, way):
    page = open_page(CrossAttentionExplorer(PAIRS))
    expect(word(page, "an")).to_have_attribute("aria-pressed", "true")
    if way == "keys":
        word(page, "an").focus()
        page.keyboard.press("ArrowRight")
        expect(word(page, "engineer")).to_be_focused()
    else:
        getattr(word(page, "engineer"), way)()
    expect(word(page, "engineer")).to_have_attribute("aria-pressed", "true")
    expected = FIRST.mean(dim=0)[3]
    torch.testing.assert_close(shown(page), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(widths(page), 12 * expected, atol=2e-3, rtol=0)
    strongest = SOURCE[expected.argmax()]
    line = page.locator(".explorer-sentence")
    expect(line).to_contain_text(f"Before it writes engineer, the heads look, on average, at {strongest}")
    expect(line).to_have_attribute("aria-live", "polite")


@pytest.mark.parametrize("head", range(3))
def test_each_head_shows_its_own_weights(open_page, head):
    page = open_page(CrossAttentionExplorer(PAIRS))
    page.get_by_role("button", name=f"head {head + 1}").click()
    for index, name in enumerate(TARGET):
        word(page, name).focus()
        torch.testing.assert_close(shown(page), FIRST[head, index], atol=1e-4, rtol=0)
    expect(page.locator(".explorer-sentence")).to_contain_text(f"head {head + 1} looks at")


def test_another_sentence_keeps_the_head_and_fits_the_word(open_page):
    page = open_page(CrossAttentionExplorer(PAIRS, word=4, head=1))
    page.get_by_role("button", name="他是老师").click()
    expect(word(page, "teacher")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="head 2")).to_have_attribute("aria-pressed", "true")
    torch.testing.assert_close(shown(page), SECOND[1, 3], atol=1e-4, rtol=0)


def test_lines_go_from_the_word_to_the_tokens_also_after_the_page_changes_its_width(open_page):
    page = open_page(CrossAttentionExplorer(PAIRS), viewport={"width": 700, "height": 600})
    for width in (700, 420):
        page.set_viewport_size({"width": width, "height": 600})
        page.wait_for_timeout(100)
        left = page.locator(".explorer-sentences svg").bounding_box()["x"]
        for index, line in enumerate(page.locator(".explorer-sentences line").all()):
            box = page.locator(f'[data-token="{index}"]').bounding_box()
            assert float(line.get_attribute("x2")) == pytest.approx(box["x"] + box["width"] / 2 - left, abs=1)
        box = word(page, "an").bounding_box()
        assert float(line.get_attribute("x1")) == pytest.approx(box["x"] + box["width"] / 2 - left, abs=1)


def test_a_finger_chooses_and_a_narrow_page_does_not_scroll_sideways(open_page):
    page = open_page(CrossAttentionExplorer(PAIRS), style="margin: 0", phone=True)
    word(page, "am").tap()
    expect(word(page, "am")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_word_that_looks_nowhere_says_so(open_page):
    page = open_page(CrossAttentionExplorer([(["a", "b"], ["x"], torch.zeros(2, 1, 2))]))
    sentence = page.locator(".explorer-sentence")
    expect(sentence).to_have_text("Before it writes x, the heads look, on average, nowhere.")


def test_without_javascript_the_still_shows_the_same_weights(open_page):
    page = open_page(CrossAttentionExplorer(PAIRS, head=2, word=3), java_script_enabled=False)
    still = page.get_by_role("img", name="A target sentence above")
    expect(still).to_be_visible()
    for weight in FIRST[2, 3]:
        expect(still.get_by_text(f"{weight:.2f}").first).to_be_visible()


def test_tokens_are_text_and_nothing_else(open_page):
    tokens = ["</script><b>", "<!-- <script>", "&amp;"]
    page = open_page(CrossAttentionExplorer([(tokens, tokens, weights(1, 3, 3))]))
    assert page.locator("[data-token] b").all_inner_texts() == tokens


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pairs": []}, "pairs is empty"),
        ({"pairs": [(SOURCE, TARGET, weights(2, 5, 6))]}, r"the weights of pair 0 have shape \(2, 5, 6\)"),
        ({"pairs": [(SOURCE, TARGET, FIRST * 2)]}, "numbers from 0 to 1"),
        ({"pairs": [PAIRS[0], (*OTHER, SECOND[:2])]}, "different numbers of heads"),
        ({"pair": 2}, "pair is 2, but it must be from 0 to 1"),
        ({"head": 3}, "head is 3, but it must be from -1 to 2"),
        ({"word": 5}, "word is 5, but it must be from 0 to 4"),
    ],
)
def test_what_does_not_fit_is_one_clear_sentence(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        CrossAttentionExplorer(**{"pairs": PAIRS, **arguments})
    assert "\n" not in str(error.value)


def test_a_trait_set_later_is_checked_too():
    explorer = CrossAttentionExplorer(PAIRS, word=4)
    with pytest.raises(ValueError, match="head is 7"):
        explorer.head = 7
    explorer.pair = 1
    assert explorer.word == 3
    assert explorer.weights() == pytest.approx(SECOND.mean(dim=0).numpy(), abs=1e-4)
