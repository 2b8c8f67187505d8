"""The figures of the book: one style, and the ways of drawing that several chapters share.

Figures have dark ink on white. On the published page the dark theme turns them over
(book/_static/course.css), so no chapter draws anything twice.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

CHINESE = Path(__file__).parent / "fonts" / "NotoSansCJKsc-Common.otf"
INK = "#1f2933"
FAINT = "#d5dae1"
BLUE, ORANGE, GREEN, RED = "#1f5fae", "#c8641b", "#2f7d4f", "#b3323d"
PURPLE, GRAY = "#7a4da0", "#6b7785"
WEIGHTS = LinearSegmentedColormap.from_list("weights", ["#ffffff", "#bcd3ee", BLUE])

STYLE = {
    "axes.edgecolor": INK,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, RED, PURPLE, GRAY]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "figure.dpi": 144,
    "font.family": ["DejaVu Sans", "Noto Sans CJK SC"],  # the second where the first has no glyph
    "font.size": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def use_style() -> None:
    """Draw all figures from here on in the style of the book, Chinese characters included."""
    font_manager.fontManager.addfont(CHINESE)
    plt.rcParams.update(STYLE)


def draw_matrix(
    ax: Axes,
    matrix: Tensor,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    title: str = "",
    numbers: bool = False,
) -> None:
    """Draw a mask (bool) or weights from 0 to 1 (float), shape (query, key), as a grid of squares.

    `rows` and `columns` name queries and keys; `numbers` writes each weight into its square.
    """
    values = matrix.detach().float().numpy()
    ax.imshow(values, cmap=WEIGHTS, vmin=0, vmax=1)
    ax.set_xticks(range(len(columns)), [_upright(name) for name in columns])
    for tick in ax.get_xticklabels():
        tick.set_rotation(90 if tick.get_text().isascii() else 0)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.set_xticks([x - 0.5 for x in range(1, values.shape[1])], minor=True)
    ax.set_yticks([y - 0.5 for y in range(1, values.shape[0])], minor=True)
    ax.grid(which="minor", color=FAINT, linewidth=0.7)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set(visible=True, color=FAINT)
    ax.set_title(title)
    if numbers:
        for y, row in enumerate(values):
            for x, value in enumerate(row):
                ink = "white" if value > 0.55 else INK
                ax.text(x, y, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=7)


def _upright(name: str) -> str:
    """A name as it stands under a column: Chinese from top to bottom, all else to be turned."""
    return name if name.isascii() else "\n".join(name)


def matrices(
    panels: Sequence[tuple[str, Tensor, Sequence[str], Sequence[str]]],
    columns: int = 3,
    size: float = 2.1,
    numbers: bool = False,
) -> Figure:
    """Draw several matrices in one figure: `panels` holds (title, matrix, row names, column names)."""
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, (size + 0.25) * rows), squeeze=False)
    for ax, (title, matrix, queries, keys) in zip(axes.flat, panels, strict=False):
        draw_matrix(ax, matrix, queries, keys, title, numbers)
    for ax in axes.flat[len(panels) :]:
        ax.axis("off")
    return figure
