"""The whole model as a path: what goes into each part, what comes out, how many parameters it has."""

from html import escape
from pathlib import Path

import traitlets

from companion.explorers.explorer import Explorer, style

DESCRIPTION = (
    "A path through a Transformer in boxes: source, embedding, encoder layers and memory on the left, "
    "target, embedding, decoder layers and head on the right. The chosen box says its shapes and parameters."
)
CHOICES = {
    "batch": (1, 2, 8, 32, 64),
    "source": (4, 8, 16, 32, 64, 128),
    "target": (5, 8, 16, 32, 64, 128),
    "vocab_size": (259, 1759, 8000, 37000, 50257),
    "d_model": (64, 128, 256, 512, 768, 1024),
    "n_heads": (1, 2, 4, 8, 16),
    "d_ff": (128, 256, 512, 1024, 2048, 4096),
    "n_layers": (1, 2, 3, 6, 12, 24),
}
PARTS = ("source", "embed the source", "encoder", "memory", "target", "embed the target", "decoder", "head")


class TransformerExplorer(Explorer):
    """A Transformer of chosen size, part by part.

    Args:
        description: the alternative text.
        part: the number of the chosen part, in the order of PARTS.
        tied: whether the head is the table that embeds.
        sizes: any of the names of CHOICES, with one of its values.

    Raises:
        ValueError: a size is none of its choices, or there is no such part; the same when it is set later.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = style(__file__)

    choices = traitlets.Dict(default_value={name: list(values) for name, values in CHOICES.items()}).tag(
        sync=True
    )
    batch = traitlets.Int(2).tag(sync=True)
    source = traitlets.Int(4).tag(sync=True)
    target = traitlets.Int(5).tag(sync=True)
    vocab_size = traitlets.Int(1759).tag(sync=True)
    d_model = traitlets.Int(128).tag(sync=True)
    n_heads = traitlets.Int(4).tag(sync=True)
    d_ff = traitlets.Int(256).tag(sync=True)
    n_layers = traitlets.Int(1).tag(sync=True)
    tied = traitlets.Bool(True).tag(sync=True)
    part = traitlets.Int(6).tag(sync=True)

    def __init__(self, description: str = DESCRIPTION, **sizes: int) -> None:
        super().__init__(description=description, **sizes)

    def parameters(self) -> dict[str, int]:
        """How many parameters the table, both stacks with their last norms, and the head have."""
        d, feed_forward = self.d_model, 2 * self.d_model * self.d_ff + self.d_ff + self.d_model
        attention, norm, table = 4 * (d * d + d), 2 * d, self.vocab_size * d
        return {
            "table": table,
            "encoder": self.n_layers * (attention + feed_forward + 2 * norm) + norm,
            "decoder": self.n_layers * (2 * attention + feed_forward + 3 * norm) + norm,
            "head": 0 if self.tied else table,
        }

    def still(self) -> str:
        """The parameters of each part, as bars (SVG)."""
        counts = self.parameters()
        most, rows = max(counts.values()), []
        for place, (name, count) in enumerate(counts.items()):
            y = 22 * place + 16
            rows.append(f'<text x="0" y="{y}" font-size="13">{escape(name)}</text>')
            width = 300 * count / most
            rows.append(f'<rect x="70" y="{y - 11}" width="{width:.1f}" height="13" fill="#2b7bbd"/>')
            rows.append(f'<text x="{78 + width:.1f}" y="{y}" font-size="13">{count:,}</text>')
        rows.append(f'<text x="0" y="104" font-size="13">all {sum(counts.values()):,} parameters</text>')
        inside = "".join(rows)
        return f'<svg width="470" height="110" viewBox="0 0 470 110" fill="currentColor">{inside}</svg>'

    @traitlets.validate(*CHOICES)
    def _check_size(self, proposal: dict) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        if value not in CHOICES[name]:
            raise ValueError(f"{name} is {value}: choose one of {', '.join(map(str, CHOICES[name]))}.")
        return value

    @traitlets.validate("part")
    def _check_part(self, proposal: dict) -> int:
        if not 0 <= proposal["value"] < len(PARTS):
            raise ValueError(f"part is {proposal['value']}, but it must be from 0 to {len(PARTS) - 1}.")
        return proposal["value"]
