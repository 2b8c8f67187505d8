"""The explorer of scores as a reader of a published page has it, against the reference of chapter 09."""

import random

import pytest

from companion.data import translation_pairs
from companion.explorers import EvaluationExplorer
from companion.explorers.evaluation import tokens, verdicts
from solutions.evaluation import bleu, bleu_tokens, chrf, ngram_precision, rouge_l

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.").expect

REFERENCE = "He is not an engineer at the factory."
EXAMPLES = {
    "right": REFERENCE,
    "not left out": "He is an engineer at the factory.",
    "repeated": "the the the the the",
    "empty": "",
}
ODD = [
    ("I am", "I am an engineer."),
    ("a b c x d e f", "a b c y d e f"),
    ("a x b y c", "a b c d e"),
    ("v w x y z", "a b c d e"),
    ("Is it 3.5, 1,000-2 or U.S.?", "It is 3.5 , 1,000 - 2 or U.S ."),
    ("&quot;a&amp;quot; <skipped> b-\nc\u00a0d\u3000e\x85f", '"a&quot; b c d e f'),
    ("naïve 🙂🙂 café 我是。", "naive 🙂 cafe 我是工程师。"),
    ("</script><b>&lt;!--", "<b></b>"),
    ("", ""),
    ("   ", "a"),
    ("İstanbul ΑΣ \u2028 x", "istanbul ας x"),
]


def poorer(text, chance):
    words = text.split()
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(words))
        words[place : place + 1] = chance.choice([[], [words[place]] * 2, ["the"], [words[place].upper()]])
        words = words or ["the"]
    return " ".join(words)


@pytest.fixture
def explorer():
    return EvaluationExplorer([REFERENCE], EXAMPLES)


def score_on(page, name):
    return float(page.locator(f"[data-score={name}]").get_attribute("data-value"))


def write(page, label, text):
    page.get_by_label(label, exact=True).evaluate(
        "(box, text) => { box.value = text; box.dispatchEvent(new Event('input')); }", text
    )


WRITE_ALL = """(figure, pairs) => pairs.map(texts => {
    figure.querySelectorAll("textarea").forEach((box, index) => {
        box.value = texts[index];
        box.dispatchEvent(new Event("input"));
    });
    const names = ["bleu", "chrf", "rouge"];
    return names.map(name => Number(figure.querySelector(`[data-score=${name}]`).dataset.value));
})"""


def assert_shows(page, text, references):
    assert score_on(page, "bleu") == pytest.approx(bleu([text], [references]), rel=1e-9, abs=1e-9)
    assert score_on(page, "chrf") == pytest.approx(chrf([text], [references]), rel=1e-9, abs=1e-9)
    assert score_on(page, "rouge") == pytest.approx(rouge_l([text], [references]), rel=1e-9, abs=1e-9)


def test_scores_are_those_of_the_reference_on_many_sentences(open_page, explorer):
    chance = random.Random(0)
    right = [pair.english for pair in translation_pairs("hsk", "test")]
    pairs = [*ODD, *((poorer(text, chance), text) for text in right)]
    page = open_page(explorer)
    shown = page.locator(".explorer-live").evaluate(WRITE_ALL, pairs)
    for (text, reference), found in zip(pairs, shown, strict=True):
        expected = [score([text], [[reference]]) for score in (bleu, chrf, rouge_l)]
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9), (text, reference)


def test_several_references_are_read_and_the_closest_length_counts(open_page):
    references = ["a b c d e f g h", "a b c"]
    page = open_page(EvaluationExplorer(references, {"one": "a b c d e"}))
    assert_shows(page, "a b c d e", references)
    for text in ("a b c d e f", "a b", "b c d a b c", "a b c d e f g h i j"):
        write(page, "translation", text)
        assert_shows(page, text, references)
    references[1] = "b c d a b c"
    write(page, "reference 2", references[1])
    write(page, "translation", "b c d a b c d")
    assert_shows(page, "b c d a b c d", references)


def test_each_ngram_is_matched_clipped_or_missing(open_page, explorer):
    page = open_page(explorer)
    page.get_by_role("button", name="repeated").click()
    words = page.get_by_role("list", name="words").locator("li")
    shown = words.evaluate_all("chips => chips.map(chip => chip.dataset.verdict)")
    assert shown == ["matched", "clipped", "clipped", "clipped", "clipped"]
    expect(page.locator(".explorer-grams output").first).to_have_text("1/5")
    expect(page.locator(".explorer-sentence")).to_contain_text(
        "1 of 5 words and marks are matched, 4 clipped"
    )
    expect(page.locator(".explorer-sentence")).to_contain_text("brevity costs")


def test_the_still_and_the_page_agree_with_the_reference_on_matches(open_page, explorer):
    page = open_page(explorer)
    for name, text in EXAMPLES.items():
        page.get_by_role("button", name=name, exact=True).click()
        words, right = bleu_tokens(text), bleu_tokens(REFERENCE)
        assert tokens(text) == words
        for n, row in enumerate(("words", "pairs", "triples", "fours"), start=1):
            matched, total = ngram_precision(words, [right], n)
            found = verdicts(words, [right], n)
            assert [sum(verdict == "matched" for _, verdict in found), len(found)] == [matched, total]
            chips = page.get_by_role("list", name=row, exact=True).locator("li")
            assert chips.evaluate_all("chips => chips.map(c => [c.textContent, c.dataset.verdict])") == [
                list(pair) for pair in found
            ]


def test_tokens_of_the_still_are_those_of_the_reference():
    for text in [text for pair in ODD for text in pair]:
        assert tokens(text) == bleu_tokens(text)


def test_the_keyboard_does_all_of_it(open_page, explorer):
    page = open_page(explorer)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="right")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="not left out")).to_have_attribute("aria-pressed", "true")
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_label("translation", exact=True)).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.type(" Indeed")
    assert_shows(page, "He is an engineer at the factory. Indeed", [REFERENCE])


@pytest.mark.parametrize("options", [{"phone": True}, {"viewport": {"width": 300, "height": 700}}])
def test_a_narrow_page_does_not_scroll_sideways(open_page, explorer, options):
    page = open_page(explorer, style="margin: 0", **options)
    write(page, "translation", "x" * 200)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_two_explorers_do_not_disturb_one_another(open_page, explorer):
    page = open_page(explorer, EvaluationExplorer([REFERENCE], EXAMPLES))
    first, second = page.locator(".explorer-live").all()
    second.get_by_role("button", name="empty").click()
    assert_shows(first, REFERENCE, [REFERENCE])
    assert_shows(second, "", [REFERENCE])
    assert page.evaluate("document.querySelectorAll('[id]').length") == 0


def test_without_javascript_the_still_is_shown(open_page, explorer):
    page = open_page(explorer, java_script_enabled=False)
    still = page.get_by_role("img", name="A translation beside its reference")
    expect(still).to_be_visible()
    expect(still.locator("svg")).to_have_count(4)
    expect(still.get_by_text("matched: 1/5, 0/4, 0/3, 0/2")).to_be_visible()


def test_what_does_not_fit_is_one_clear_sentence(explorer):
    with pytest.raises(ValueError, match="examples is empty"):
        EvaluationExplorer([REFERENCE], {})
    for wrong in ([], "one text", [3]):
        with pytest.raises(ValueError, match="references is"):
            EvaluationExplorer(wrong, EXAMPLES)
        with pytest.raises(ValueError, match="references is"):
            explorer.references = wrong
    assert explorer.references == [REFERENCE]
    assert explorer.page() == EvaluationExplorer([REFERENCE], EXAMPLES).page()
