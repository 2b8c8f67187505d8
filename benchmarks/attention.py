"""Multi-head attention: the reference, the naive version and torch's own module, forward and backward.

    python benchmarks/attention.py                     # some minutes on two cores
    python benchmarks/attention.py --repetitions 15    # rougher, and sooner

All three have the same weights, and first must give the same outputs and gradients. They are then timed in
turns, in one run, so that whatever else the machine does meets all of them; a ratio is the median over the
turns of theirs by ours, and above 1 ours is faster. `nn.MultiheadAttention` is used as people use it: with
`need_weights=False`, the causal mask as `attn_mask`, the padding as `key_padding_mask`. "announced" is the
causal mask again, with `is_causal=True` besides: torch then reads no mask, and leaves the future out.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from measuring import machine, ratios, timed
from torch import Tensor, nn

from companion import figures
from solutions.masks import causal_mask, padding_mask
from solutions.self_attention import MultiHeadAttention, attention, merge_heads, split_heads

SIZES = ((16, 128, 256), (8, 256, 256), (2, 1024, 256))  # (batch, length, d_model), 2,048 tokens each
N_HEADS = 8
MASKS = ("none", "causal", "announced", "padding", "both")
HERE = Path(__file__).parent


class Naive(MultiHeadAttention):
    """The chapter's own attention in the module: scores and weights are stored."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        layers = (self.query, self.key, self.value)
        heads, _ = attention(*[split_heads(layer(x), self.n_heads) for layer in layers], mask)
        return self.output(merge_heads(heads))


def torchs(ours: MultiHeadAttention) -> nn.MultiheadAttention:
    """`nn.MultiheadAttention` with the weights of ours."""
    theirs = nn.MultiheadAttention(ours.query.in_features, ours.n_heads, batch_first=True)
    layers = (ours.query, ours.key, ours.value)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([layer.weight for layer in layers]))
        theirs.in_proj_bias.copy_(torch.cat([layer.bias for layer in layers]))
    theirs.out_proj.load_state_dict(ours.output.state_dict())
    return theirs


def masks_of(kind: str, batch: int, length: int) -> tuple[Tensor | None, dict]:
    """A mask in our convention, and the same as torch's module is told it: True = may not look."""
    real = torch.arange(length) < length - torch.arange(batch)[:, None] * length // (2 * batch)
    causal, padding = causal_mask(length), padding_mask(real.long(), 0)
    return {
        "none": (None, {}),
        "causal": (causal, {"attn_mask": ~causal}),
        "announced": (causal, {"attn_mask": ~causal, "is_causal": True}),
        "padding": (padding, {"key_padding_mask": ~real}),
        "both": (causal & padding, {"attn_mask": ~causal, "key_padding_mask": ~real}),
    }[kind]


def runners(kind: str, batch: int, length: int, d_model: int) -> dict[str, Callable[[], tuple]]:
    """Name to a step: forward, backward, and what came of it."""
    torch.manual_seed(0)
    ours = MultiHeadAttention(d_model, N_HEADS)
    naive, theirs = Naive(d_model, N_HEADS), torchs(ours)
    naive.load_state_dict(ours.state_dict())
    mask, told = masks_of(kind, batch, length)
    x = torch.randn(batch, length, d_model, requires_grad=True)
    upstream = torch.randn(batch, length, d_model)

    def step(module: nn.Module, forward: Callable[[], Tensor]) -> Callable[[], tuple]:
        def run() -> tuple:
            output = forward()
            return output, *torch.autograd.grad(output, [x, *module.parameters()], upstream)

        return run

    return {
        "ours": step(ours, lambda: ours(x, mask)),
        "naive": step(naive, lambda: naive(x, mask)),
        "nn.MultiheadAttention": step(theirs, lambda: theirs(x, x, x, need_weights=False, **told)[0]),
    }


def check(steps: dict[str, Callable[[], tuple]]) -> None:
    """All give the same output and the same gradient of x; AssertionError where they do not."""
    output, gradient, *_ = steps["ours"]()
    for step in steps.values():
        its_output, its_gradient, *_ = step()
        torch.testing.assert_close(its_output, output, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(its_gradient, gradient, rtol=1e-4, atol=1e-4)


def compare(size: tuple[int, int, int], repetitions: int) -> dict[str, dict]:
    """Every mask at one size; what is found is printed."""
    found = {}
    for kind in MASKS:
        steps = runners(kind, *size)
        check(steps)
        timed(steps, 3)
        seconds = timed(steps, repetitions)
        milliseconds = {name: round(1000 * statistics.median(s), 2) for name, s in seconds.items()}
        against = {name: ratios(seconds["ours"], s) for name, s in seconds.items() if name != "ours"}
        found[kind] = {"ms": milliseconds, "ratio": against}
        said = ", ".join(
            f"{name} {r['median']:.2f} ({r['low']:.2f} to {r['high']:.2f})" for name, r in against.items()
        )
        print(f"{size} {kind:8} ours {milliseconds['ours']:7.2f} ms; ratio to {said}", flush=True)
    return found


def draw(found: dict[str, dict]) -> None:
    """The picture of it, beside this file."""
    figures.use_style()
    figure, axes = plt.subplots(1, len(found), figsize=(7.2, 3), sharey=True, layout="constrained")
    for ax, (size, kinds) in zip(axes, found.items(), strict=True):
        for shift, name in ((-0.2, "naive"), (0.2, "nn.MultiheadAttention")):
            ratio = [kind["ratio"][name] for kind in kinds.values()]
            medians = [r["median"] for r in ratio]
            spread = [[r["median"] - r["low"] for r in ratio], [r["high"] - r["median"] for r in ratio]]
            places = [place + shift for place in range(len(kinds))]
            ax.bar(places, medians, width=0.38, yerr=spread, ecolor=figures.GRAY, label=f"against {name}")
        ax.axhline(1, color=figures.INK, linewidth=0.8, linestyle=":")
        ax.set(title=size, xticks=range(len(kinds)), xticklabels=kinds)
        ax.tick_params(axis="x", rotation=45)
    axes[0].set_ylabel("times as fast")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.savefig(HERE / "attention.png", dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=30, help="turns for each mask and size")
    told = parser.parse_args()
    found = {", ".join(map(str, size)): compare(size, told.repetitions) for size in SIZES}
    draw(found)
    record = {"machine": machine(), "heads": N_HEADS, "repetitions": told.repetitions, "sizes": found}
    (HERE / "attention.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
