"""The stack explorer on a published page: its sizes are those that PyTorch finds with the same weights."""

import json

import pytest
import torch
from torch.nn import functional as F

from companion.explorers import StackExplorer
from companion.explorers.decoder_layer import JOINS, drawn, sizes

expect = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.").expect

CASES = [("replaced", 5, 1.0), ("added", 12, 0.5), ("post-norm", 24, 1.0), ("pre-norm", 48, 2.0)]
CASES += [("replaced", 1, 4.0), ("added", 30, 4.0), ("post-norm", 3, 4.0), ("pre-norm", 1, 0.25)]


def by_torch(explorer):
    """The stack in PyTorch, its gradients by autograd; both relative to where they begin."""
    first, direction, layers = drawn(explorer.depth, explorer.scale, explorer.seed)
    x = torch.tensor(first, requires_grad=True)
    states, norm = [x], lambda x: F.layer_norm(x, (16,))
    join = {
        "replaced": lambda x, branch: branch(x),
        "added": lambda x, branch: x + branch(x),
        "post-norm": lambda x, branch: norm(x + branch(x)),
        "pre-norm": lambda x, branch: x + branch(norm(x)),
    }[explorer.join]
    scores = torch.zeros(1, 8, 16, dtype=torch.float64)  # all equal: attention looks at its past evenly
    for value, up, down in ([torch.tensor(matrix) for matrix in layer] for layer in layers):

        def attend(x, value=value):
            return F.scaled_dot_product_attention(scores, scores, F.linear(x, value)[None], is_causal=True)[0]

        x = join(x, attend)
        x = join(x, lambda x, up=up, down=down: F.linear(F.linear(x, up).relu(), down))
        states.append(x)
    loss = (F.layer_norm(x, (16,)) * torch.tensor(direction)).sum()
    gradients = torch.autograd.grad(loss, states)
    stream, back = (torch.stack([t.square().mean().sqrt() for t in all]) for all in (states, gradients))
    return (stream / stream[0]).detach(), back / back[-1]


def shown(root):
    charts = [root.locator(f'[data-chart="{name}"]') for name in ("stream", "gradient")]
    return [
        torch.tensor(json.loads(chart.get_attribute("data-values")), dtype=torch.float64) for chart in charts
    ]


def assert_shows(root, explorer):
    for found, expected in zip(shown(root), by_torch(explorer), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def sentence(root):
    return root.locator(".explorer-sentence")


def test_sizes_are_those_of_torch(open_page):
    explorers = [
        StackExplorer(depth, join, scale, seed) for seed, (join, depth, scale) in enumerate(CASES, start=1)
    ]
    page = open_page(*explorers)
    for one, root in zip(explorers, page.locator(".explorer-live").all(), strict=True):
        assert_shows(root, one)
        stream, gradient = map(torch.tensor, sizes(one.depth, one.join, one.scale, one.seed))
        expected = by_torch(one)
        torch.testing.assert_close(stream / stream[0], expected[0], rtol=1e-9, atol=0)
        torch.testing.assert_close(gradient / gradient[-1], expected[1], rtol=1e-6, atol=0)


def test_the_weights_are_drawn_as_glorot_and_bengio_say():
    first, _, layers = drawn(depth=48, scale=1.0, seed=0)
    matrices = torch.stack([torch.tensor(up) for _, up, _ in layers])
    assert matrices.std().item() == pytest.approx((2 / (16 + 32)) ** 0.5, rel=0.02)
    assert abs(matrices.mean().item()) < 0.01
    assert len(matrices.unique()) > 0.99 * matrices.numel()
    again = drawn(depth=3, scale=1.0, seed=0)
    assert (again[0] == first).all()
    assert (again[2][2][1] == layers[2][1]).all(), "A deeper stack begins with the same layers."


@pytest.mark.parametrize("join", JOINS)
def test_a_button_chooses_how_branches_are_joined(open_page, join):
    page = open_page(StackExplorer(depth=6, join="added" if join != "added" else "replaced"))
    button = page.get_by_role("group", name="how branches are joined").get_by_role("button", name=f"{join}:")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert page.locator('[data-join][aria-pressed="true"]').count() == 1
    assert_shows(page, StackExplorer(depth=6, join=join))


def test_the_keyboard_does_all_of_it(open_page):
    page = open_page(StackExplorer(depth=6, join="added"))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="replaced:")).to_have_attribute("aria-pressed", "true")
    for _ in range(4):
        page.keyboard.press("Tab")
    expect(page.get_by_label("layers", exact=True)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="other weights")).to_be_focused()
    assert_shows(page, StackExplorer(depth=7, join="replaced", scale=2.0, seed=1))


def test_sliders_go_to_both_ends_and_say_where_they_are(open_page):
    page = open_page(StackExplorer(depth=6, join="post-norm"))
    depth, scale = page.get_by_label("layers", exact=True), page.get_by_label("size of the weights")
    depth.fill("48")
    expect(depth).to_have_attribute("aria-valuetext", "48")
    scale.fill("4")
    expect(scale).to_have_attribute("aria-valuetext", "× 4")
    assert_shows(page, StackExplorer(depth=48, join="post-norm", scale=4.0))
    depth.fill("1")
    scale.fill("0")
    expect(scale).to_have_attribute("aria-valuetext", "× 0.25")
    assert_shows(page, StackExplorer(depth=1, join="post-norm", scale=0.25))
    expect(sentence(page)).to_contain_text("Through one layer the stream gets")


@pytest.mark.parametrize(
    ("join", "verdict", "words"),
    [
        ("replaced", "vanishes", "the first layers learn nothing"),
        ("added", "explodes", "Numbers explode"),
        ("post-norm", "good", "Both keep a size"),
        ("pre-norm", "good", "Both keep a size"),
    ],
)
def test_the_sentence_says_what_becomes_of_stream_and_gradient(open_page, join, verdict, words):
    one = StackExplorer(depth=24, join=join)
    page = open_page(one)
    expect(sentence(page)).to_have_attribute("data-verdict", verdict)
    expect(sentence(page)).to_contain_text(words)
    expect(sentence(page)).to_have_attribute("aria-live", "polite")
    if verdict == "good":
        stream, gradient = by_torch(one)
        said = f"{stream[-1]:.2f} times its size, the gradient on its way back {gradient[0]:.2f} times"
        expect(sentence(page)).to_contain_text(said)


def test_the_curve_is_drawn_where_the_numbers_are(open_page):
    page = open_page(StackExplorer(depth=12, join="added"))
    stream, _ = shown(page)
    chart = page.locator('[data-chart="stream"]')
    heights = chart.locator("circle").evaluate_all("dots => dots.map(dot => Number(dot.getAttribute('cy')))")
    heights, exponents = torch.tensor(heights, dtype=torch.float64), stream.log10()
    slope = (heights[-1] - heights[0]) / (exponents[-1] - exponents[0])
    torch.testing.assert_close(heights - heights[0], slope * (exponents - exponents[0]), rtol=0, atol=1e-6)
    assert slope < 0


def test_a_narrow_page_does_not_scroll_sideways_and_charts_stand_one_under_the_other(open_page):
    page = open_page(StackExplorer(), style="margin: 0", phone=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    first, second = (page.locator("[data-chart]").nth(index).bounding_box() for index in range(2))
    assert second["y"] >= first["y"] + first["height"]


def test_two_explorers_do_not_disturb_one_another(open_page):
    page = open_page(StackExplorer(depth=4), StackExplorer(depth=4))
    first, second = page.locator(".explorer-live").all()
    second.get_by_role("button", name="added:").click()
    second.get_by_role("button", name="other weights").click()
    assert_shows(first, StackExplorer(depth=4))
    assert_shows(second, StackExplorer(depth=4, join="added", seed=1))
    assert page.evaluate("document.querySelectorAll('[id]').length") == 0


def test_without_javascript_the_still_is_shown(open_page):
    page = open_page(StackExplorer(depth=9, join="pre-norm"), java_script_enabled=False)
    still = page.get_by_role("img", name="Two charts over the layers of a stack")
    expect(still).to_be_visible()
    expect(still.locator("svg polyline")).to_have_count(2)
    expect(still.get_by_text("9 layers, pre-norm, weights times 1").first).to_be_visible()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, "depth is 0, but it must be from 1 to 48"),
        ({"depth": 49}, "depth is 49"),
        ({"join": "norm"}, "join is 'norm', but it must be one of replaced, added, post-norm, pre-norm"),
        ({"scale": 3.0}, "scale is 3.0, but it must be one of 0.25, 0.5, 1, 2, 4"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_does_not_fit_is_one_clear_sentence_also_later(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        StackExplorer(**arguments)
    assert "\n" not in str(error.value)
    one = StackExplorer()
    before = one.page_state()
    (name, value), *_ = arguments.items()
    with pytest.raises(ValueError, match=message):
        setattr(one, name, value)
    assert one.page_state() == before
