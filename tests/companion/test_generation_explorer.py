"""The explorer of chapter 08 as a reader of a published page has it: the numbers are the reference's."""

import pytest
import torch

from companion.explorers import GenerationExplorer
from companion.explorers.generation import beginning, kept_probabilities
from solutions.generation import keep_likely

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.").expect

TOKENS = ["am", "work", "do", "is"]
LOGITS = [2.0, 2.4, -1.0, 0.5]
STEPS = [
    [("work", -0.6, 0, 1, 0), ("am", -0.9, 0, 1, 0), ("do", -3.1, 0, 0, 0)],
    [("an", -1.0, 1, 1, 0), ("as", -1.3, 0, 1, 0), ("[end]", -2.2, 0, 0, 1)],
    [("engineer", -1.1, 0, 1, 0), ("an", -1.4, 1, 1, 0), ("a", -4.0, 1, 0, 0)],
]
STEPS = [[dict(zip(("token", "score", "of", "kept", "ended"), one, strict=True)) for one in s] for s in STEPS]


def explorer(**options):
    return GenerationExplorer(TOKENS, LOGITS, STEPS, **options)


def shown(root):
    rows = root.locator("tr[data-probability]")
    numbers = rows.evaluate_all("rows => rows.map(row => Number(row.dataset.probability))")
    return torch.tensor(numbers, dtype=torch.float32)


def by_reference(temperature=1.0, top_k=None, top_p=None):
    return keep_likely(torch.tensor([LOGITS]) / temperature, top_k, top_p).softmax(-1)[0]


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(1.0, 4, 1.0), (0.5, 2, 1.0), (3.0, 4, 0.6), (2.0, 3, 0.5)]
)
def test_probabilities_are_those_of_the_reference(open_page, temperature, top_k, top_p):
    page = open_page(explorer(temperature=temperature, top_k=top_k, top_p=top_p))
    expected = by_reference(temperature, top_k, None if top_p == 1 else top_p)
    torch.testing.assert_close(shown(page), expected)
    still = torch.tensor(kept_probabilities(LOGITS, temperature, top_k, top_p))
    torch.testing.assert_close(still.float(), expected)


def test_sliders_move_what_is_drawn_from(open_page):
    page = open_page(explorer())
    page.get_by_role("slider", name="temperature").fill("0.5")
    page.get_by_role("slider", name="top-k").fill("2")
    torch.testing.assert_close(shown(page), by_reference(0.5, 2))
    expect(page.locator(".explorer-cut")).to_have_count(2)
    page.get_by_role("slider", name="top-p").fill("0.5")
    torch.testing.assert_close(shown(page), by_reference(0.5, 2, 0.5))


def test_the_search_is_walked_step_by_step(open_page):
    page = open_page(explorer())
    sentence = page.locator(".explorer-sentence")
    expect(sentence).to_have_text("Step 1 keeps “work” (-0.60), “am” (-0.90).")
    page.get_by_label("step of the search").fill("2")
    expect(sentence).to_have_text(
        "Step 2 keeps “am an” (-1.00), “work as” (-1.30). Ended: “work [end]” (-2.20)."
    )
    assert [page.locator(f'[data-kind="{kind}"]').count() for kind in ("kept", "dropped", "ended")] == [
        4,
        1,
        1,
    ]
    assert beginning(STEPS, 3, 0) == "am an engineer"


def test_a_narrow_page_does_not_scroll_sideways(open_page):
    page = open_page(explorer(step=3), style="margin: 0", phone=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_javascript_the_still_is_shown(open_page):
    page = open_page(explorer(step=2), java_script_enabled=False)
    still = page.get_by_role("img", name="Bars for the probabilities")
    expect(still.get_by_text("am an -1.00")).to_be_visible()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokens": TOKENS[:2]}, "2 tokens and 4 logits"),
        ({"logits": [1.0, 2.0, float("inf"), 0.0]}, "finite"),
        ({"steps": []}, "steps is empty"),
        ({"steps": [[{"token": "a"}]]}, "a candidate has"),
        ({"steps": [[{**STEPS[0][0], "of": 3}]]}, "one of the step before"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"top_k": 9}, "top_k is 9"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"step": 7}, "step is 7"),
    ],
)
def test_what_does_not_fit_is_one_clear_sentence(arguments, message):
    right = {"tokens": TOKENS, "logits": LOGITS, "steps": STEPS}
    with pytest.raises(ValueError, match=message):
        GenerationExplorer(**{**right, **arguments})
