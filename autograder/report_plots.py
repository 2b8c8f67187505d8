"""The plots of the instructor's page, each for light and for dark, with what it shows in words."""

import base64
import html
import io
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

LIGHT = {"ink": "#1c2430", "grid": "#d9dfe7", "bar": "#2f6db3", "page": "#ffffff"}
DARK = {"ink": "#e4e8ee", "grid": "#333d4a", "bar": "#6aa7ee", "page": "#12161c"}
WIDTH = 5.2  # inches


@dataclass(frozen=True)
class Plot:
    """A plot: its caption, what it shows in words, how it is drawn on axes in given colours."""

    caption: str
    said: str
    draw: Callable[[Axes, dict[str, str]], None]
    height: float = 3.0

    def html(self) -> str:
        """The plot as a figure that needs no other file and follows the reader's light or dark."""
        light, dark = (_data(self._svg(colours)) for colours in (LIGHT, DARK))
        return (
            f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
            f'<img src="{light}" alt="{html.escape(self.said)}"></picture>'
            f"<figcaption>{html.escape(self.caption)}</figcaption></figure>"
        )

    def _svg(self, colours: dict[str, str]) -> bytes:
        figure = Figure(figsize=(WIDTH, self.height), layout="constrained", facecolor=colours["page"])
        _draw(self, figure.subplots(), colours)
        file = io.BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": self.caption}):
            figure.savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()


def png(plots: list[Plot]) -> bytes:
    """The plots as one picture, two in a row, their captions above them."""
    rows = [plots[start : start + 2] for start in range(0, len(plots), 2)]
    heights = [max(plot.height for plot in row) for row in rows]
    size = 2 * WIDTH, sum(heights) + 0.3 * len(rows)
    figure = Figure(figsize=size, layout="constrained", facecolor=LIGHT["page"])
    grid = figure.subplots(len(rows), 2, squeeze=False, height_ratios=heights)
    for axes in grid.flat[len(plots) :]:
        axes.set_axis_off()
    for plot, axes in zip(plots, grid.flat, strict=False):
        _draw(plot, axes, LIGHT)
        axes.set_title(plot.caption, color=LIGHT["ink"], fontsize="medium")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=150)
    return file.getvalue()


def of_totals(totals: list[float], of: float) -> Plot:
    """How many students have how many points in all."""
    width = max(1, round(of / 11))
    steps = int(max(of, *totals) / width) + 1
    edges = np.arange(steps + 1) * width - 0.5
    counts, _ = np.histogram(np.clip(totals, 0, None), edges)

    def draw(axes: Axes, colours: dict[str, str]) -> None:
        axes.bar(edges[:-1] + width / 2, counts, 0.9 * width, color=colours["bar"])
        axes.set(xlabel=f"points of {of:g}", ylabel="students", xlim=(edges[0], edges[-1]))
        axes.set_xticks(range(0, int(of) + 1, max(1, int(of) // 6)))
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))

    bins = [
        f"{low:g}" + (f" to {low + width - 1:g}" if width > 1 else "") + f" points: {count}"
        for low, count in zip(range(0, steps * width, width), counts, strict=True)
        if count
    ]
    return Plot("How the points are distributed", f"Students by points. {', '.join(bins)}.", draw)


def of_seconds(seconds: list[float]) -> Plot:
    """How many submissions took how long to grade, on a logarithmic scale where they differ much."""
    low, high = min(seconds), max(seconds)
    logarithmic = high > 20 * low
    space = np.geomspace if logarithmic else np.linspace
    ends = (0.9 * low, 1.1 * high) if logarithmic else (0, 1.1 * high)
    edges = space(*ends, 13)
    counts, _ = np.histogram(seconds, edges)

    def draw(axes: Axes, colours: dict[str, str]) -> None:
        axes.stairs(counts, edges, fill=True, color=colours["bar"])
        axes.set(xlabel="seconds", ylabel="submissions", xlim=ends)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        if logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))

    bins = [
        f"{start:.2g} to {end:.2g} s: {count}"
        for start, end, count in zip(edges, edges[1:], counts, strict=False)
        if count
    ]
    return Plot("Time per submission", f"Submissions by time. {', '.join(bins)}.", draw)


def of_difficulty(shares: dict[str, float]) -> Plot:
    """The mean share of the points of each exercise."""

    def draw(axes: Axes, colours: dict[str, str]) -> None:
        axes.barh(list(shares), list(shares.values()), 0.7, color=colours["bar"])
        for row, share in enumerate(shares.values()):
            axes.text(share + 0.02, row, f"{share:.0%}", va="center", color=colours["ink"])
        axes.set(xlim=(0, 1.18))
        axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
        axes.invert_yaxis()

    said = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    return Plot("Difficulty: mean share of the points", f"{said}.", draw, _rows(shares))


def of_discrimination(found: dict[str, float | None]) -> Plot:
    """The correlation of each exercise with the others; a dash where there is none."""
    lowest = min([value for value in found.values() if value is not None], default=0)

    def draw(axes: Axes, colours: dict[str, str]) -> None:
        axes.axvline(0, color=colours["grid"], zorder=0)
        for row, value in enumerate(found.values()):
            axes.hlines(row, 0, value or 0, color=colours["bar"], linewidth=1.5)
            if value is not None:
                axes.plot(value, row, "o", color=colours["bar"])
            words = "–" if value is None else f"{value:.2f}".replace("-", "−")
            axes.text(max(value or 0, 0) + 0.05, row, words, va="center", color=colours["ink"])
        axes.set(xlim=(min(lowest - 0.08, -0.08), 1.28), ylim=(len(found) - 0.4, -0.6))
        axes.set_yticks(range(len(found)), list(found))
        axes.set_xticks([-1, -0.5, 0, 0.5, 1] if lowest < -0.4 else [0, 0.5, 1])

    said = ", ".join(f"{n} {'none' if value is None else f'{value:.2f}'}" for n, value in found.items())
    return Plot("Discrimination: correlation with the other exercises", f"{said}.", draw, _rows(found))


def _rows(exercises: dict) -> float:
    return max(2.0, 0.7 + 0.34 * len(exercises))


def _draw(plot: Plot, axes: Axes, colours: dict[str, str]) -> None:
    plot.draw(axes, colours)
    axes.set_facecolor(colours["page"])
    axes.tick_params(which="both", colors=colours["ink"], length=0, pad=5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(colours["grid"])
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set_color(colours["ink"])


def _data(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
