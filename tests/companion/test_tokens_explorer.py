"""The explorer of merges as a reader of a published page has it, against the reference of chapter 01."""

from itertools import islice

import pytest

from companion.explorers import TokenExplorer
from companion.explorers.tokens import leading_pairs, readable, tokens_after
from solutions.tokens import count_pairs, encode, merge_pair, split_words, train_bpe

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.").expect

ENGLISH = "He is here. She is there. They are where the others were, and he's theirs. " * 3
CHINESE = "我是老师。他是老师，她也是老师。你们都是学生吗？" * 3
TEXTS = [
    "There he is!",
    "我们是老师。",
    "a\x85b\ufeffc",
    "  two  spaces\t\n",
    "it's 1984 – naïve 🙂",
    "",
    "</script><b>&amp;",
]


@pytest.fixture(scope="module")
def corpora():
    return {"English": ENGLISH, "Chinese": CHINESE}


@pytest.fixture
def explorer(corpora):
    return TokenExplorer(corpora, {"English": TEXTS[0], "Chinese": TEXTS[1]}, n_merges=24, step=3)


def tokens_on(root):
    return root.locator(".explorer-tokens li").evaluate_all("chips => chips.map(chip => chip.dataset.token)")


def leading_on(root):
    return root.locator(".explorer-pairs tr").evaluate_all(
        "rows => rows.map(({ dataset: { left, right, count } }) => [left, right, Number(count)])"
    )


def tokens_by_reference(explorer):
    merges = train_bpe({"English": ENGLISH, "Chinese": CHINESE}[explorer.language], explorer.step)
    return encode(explorer.text, merges)


def test_leading_pairs_are_counted_and_merged_as_by_the_reference(corpora):
    for corpus in corpora.values():
        merges = train_bpe(corpus, 24)
        words = [tuple(word) for word in split_words(corpus)]
        for pair, leading in zip(merges, leading_pairs(corpus, 24), strict=True):
            counts = {}
            for word in words:
                for found, count in count_pairs({word: 1}).items():
                    counts[found] = counts.get(found, 0) + count
            assert tuple(leading[0][:2]) == pair
            assert [count for *_, count in leading] == sorted(counts.values(), reverse=True)[:5]
            assert all(counts[left, right] == count for left, right, count in leading)
            words = [merge_pair(word, pair) for word in words]


def test_the_tokens_are_those_of_the_reference(open_page, explorer):
    page = open_page(explorer)
    for explorer.language in ("English", "Chinese"):
        page.get_by_role("button", name=explorer.language).click()
        for explorer.text in TEXTS:
            page.get_by_label("your sentence").evaluate(
                "(input, text) => { input.value = text; input.dispatchEvent(new Event('input')); }",
                explorer.text.replace("\n", " "),  # an input has one line
            )
            explorer.text = explorer.text.replace("\n", " ")
            for explorer.step in (0, 11, 24):
                page.get_by_role("slider").fill(str(explorer.step))
                assert tokens_on(page) == tokens_by_reference(explorer)
                merges = [(left, right) for (left, right, _), *_ in explorer.steps[explorer.language]]
                assert tokens_after(explorer.text, merges[: explorer.step]) == tokens_on(page)


def test_the_pairs_are_those_of_the_step(open_page, explorer):
    page = open_page(explorer)
    assert leading_on(page) == explorer.steps["English"][3]
    page.get_by_role("button", name="next merge").click()
    assert leading_on(page) == explorer.steps["English"][4]
    page.get_by_role("slider").press("End")
    assert leading_on(page) == []
    expect(page.get_by_role("button", name="next merge")).to_be_disabled()
    page.get_by_role("button", name="one merge back").click()
    assert leading_on(page) == explorer.steps["English"][23]


def test_the_sentence_says_what_happens(open_page, explorer):
    explorer.step = 1
    page = open_page(explorer)
    (left, right, count), *_ = explorer.steps["English"][1]
    line = page.locator(".explorer-sentence")
    expect(line).to_contain_text("After 1 merge: 12 bytes in ")
    expect(line).to_contain_text(f"The next one: {readable(left)} + {readable(right)}")
    expect(line).to_contain_text(f"which stands {count} times.")
    expect(line).to_have_attribute("aria-live", "polite")


def test_bytes_that_are_no_character_are_written_as_bytes(open_page, explorer):
    explorer.language, explorer.text, explorer.step = "Chinese", "我 a", 0
    page = open_page(explorer)
    assert page.locator(".explorer-tokens li").all_inner_texts() == ["e6", "88", "91", "␣", "a"]
    assert page.locator(".explorer-bytes").count() == 3


def test_a_language_brings_its_sentence_and_is_pressed(open_page, explorer):
    page = open_page(explorer)
    chinese = page.get_by_role("button", name="Chinese")
    expect(chinese).to_have_attribute("aria-pressed", "false")
    chinese.click()
    expect(chinese).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("your sentence")).to_have_value("我们是老师。")
    assert leading_on(page) == explorer.steps["Chinese"][3]


def test_the_keyboard_does_all_of_it(open_page, explorer):
    page = open_page(explorer)
    for key in ("Tab", "Tab", "Space", "Tab"):
        page.keyboard.press(key)
    expect(page.get_by_label("your sentence")).to_be_focused()
    page.keyboard.type("他")
    for key in ("Tab", "ArrowRight", "Tab", "Tab", "Enter"):
        page.keyboard.press(key)
    assert leading_on(page) == explorer.steps["Chinese"][5]


@pytest.mark.parametrize("options", [{"phone": True}, {"viewport": {"width": 300, "height": 700}}])
def test_a_narrow_page_does_not_scroll_sideways(open_page, explorer, options):
    explorer.step = 0
    page = open_page(explorer, style="margin: 0", **options)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_javascript_the_still_is_shown(open_page, explorer):
    page = open_page(explorer, java_script_enabled=False)
    still = page.get_by_role("img", name="A sentence cut into tokens")
    expect(still).to_be_visible()
    expect(still.locator("svg")).to_have_count(2)
    expect(still.get_by_text("24 merges")).to_have_count(2)


def test_two_runs_give_the_same_output(explorer, corpora):
    again = TokenExplorer(corpora, explorer.sentences, n_merges=24, step=3)
    assert explorer.page() == again.page()


def test_what_does_not_fit_is_one_clear_sentence(explorer, corpora):
    with pytest.raises(ValueError, match="same names"):
        TokenExplorer(corpora, {"English": "I am."})
    with pytest.raises(ValueError, match="from 0 to 24"):
        explorer.step = 25
    with pytest.raises(ValueError, match="the languages are: English, Chinese"):
        explorer.language = "French"
    assert (explorer.step, explorer.language) == (3, "English")
    assert len(list(islice(leading_pairs("ab", 9), 9))) == 1
