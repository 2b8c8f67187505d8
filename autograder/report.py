"""The instructor's page: how a class did, what was hard, which mistakes were made, and who needs a person."""

import base64
import html
import io
from collections import Counter
from pathlib import Path
from statistics import mean, median

from matplotlib.figure import Figure

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exercises import exercises_of
from autograder.feedback import marked
from autograder.results import Result, results

LIGHT = {"ink": "#1c2430", "grid": "#d9dfe7", "bar": "#2f6db3", "page": "#ffffff"}
DARK = {"ink": "#e4e8ee", "grid": "#333d4a", "bar": "#6aa7ee", "page": "#12161c"}
STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --page: #ffffff; --line: #d9dfe7;
        --bar: #2f6db3; --flag: #fff4d6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --soft: #9aa6b5; --page: #12161c; --line: #333d4a;
          --bar: #6aa7ee; --flag: #33290e; }
}
body { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; background: var(--page);
       color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p { margin: .4rem 0; } .soft { color: var(--soft); }
img { max-width: 100%; height: auto; display: block; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; padding: .4rem .6rem; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; color: var(--soft); font-weight: 600; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.lost { color: var(--soft); } .flag td, .flag th { background: var(--flag); }
.bar { display: inline-block; height: .7rem; margin-right: .5rem; background: var(--bar); }
code { font-size: .95em; }
"""


def write_report(course: Course, topic: str) -> Path:
    """Write `report/TOPIC.html` and the picture in it, `report/TOPIC.png`; return the page's path.

    Raises CourseError where nobody has been graded.
    """
    found = results(course, topic)
    graded = [result for result in found if result.graded]
    if not graded:
        raise CourseError(f"nobody has been graded for {topic} yet: run `autograder grade {topic}` first")
    folder = course.path / "report"
    folder.mkdir(exist_ok=True)
    (folder / f"{topic}.png").write_bytes(picture(graded, topic, LIGHT, "png"))
    page = folder / f"{topic}.html"
    page.write_text(as_html(found, topic), encoding="utf-8")
    return page


def as_html(found: list[Result], topic: str) -> str:
    """The page: one file that needs no other and asks nobody."""
    graded = [result for result in found if result.graded]
    of = sum(exercise.points() for exercise in exercises_of(topic).values())
    totals = [result.total for result in graded]
    summary = (
        f"{len(found)} submissions, {len(graded)} graded. Mean {mean(totals):.1f} of {of} points, "
        f"median {median(totals):g}, from {min(totals):g} to {max(totals):g}."
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(topic)}: how the class did</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{html.escape(topic)}: how the class did</h1>
<p>{summary}</p>
{_people(found)}
{_pictures(graded, topic)}
<h2>Known mistakes, the most frequent first</h2>
{_mistakes(graded, topic)}
<h2>Everybody</h2>
{_everybody(found, topic)}
</body>
</html>
"""


def shares(graded: list[Result], topic: str) -> dict[str, float]:
    """For each exercise, the mean share of its points: the lower, the harder."""
    return {
        name: mean(result.points[name] for result in graded) / exercise.points()
        for name, exercise in exercises_of(topic).items()
    }


def mistakes_made(graded: list[Result]) -> Counter[tuple[str, str, str]]:
    """How many students made each known mistake, by exercise, name and sentence.

    What an answer only inherits from a wrong one that it builds on is not counted again.
    """
    return Counter(
        (f.verdict.exercise, f.verdict.mistake, f.verdict.sentence)
        for result in graded
        for f in result.feedback.values()
        if f.verdict.mistake and not f.mend_first
    )


def picture(graded: list[Result], topic: str, colours: dict[str, str], kind: str) -> bytes:
    """Two plots side by side, how points are distributed and how hard each exercise was, as SVG or PNG."""
    of = sum(exercise.points() for exercise in exercises_of(topic).values())
    hard = shares(graded, topic)
    figure = Figure(figsize=(10, 3.6), layout="constrained", facecolor=colours["page"])
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    width = max(1, round(of / 11))
    edges = [-0.5 + width * step for step in range(int(of / width) + 2)]
    left.hist([result.total for result in graded], bins=edges, color=colours["bar"], rwidth=0.9)
    left.set(xlabel=f"points of {of}", ylabel="students", title="How the points are distributed")
    left.set_xticks(range(0, of + 1, max(1, of // 6)))
    left.yaxis.get_major_locator().set_params(integer=True)
    right.barh(list(hard), list(hard.values()), color=colours["bar"])
    right.invert_yaxis()
    right.set(xlim=(0, 1.12), title="Mean share of the points of each exercise")
    right.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
    for row, share in enumerate(hard.values()):
        right.text(share + 0.015, row, f"{share:.0%}", va="center", color=colours["ink"])
    for axes in (left, right):
        _coloured(axes, colours)
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return file.getvalue()


def _coloured(axes, colours: dict[str, str]) -> None:
    axes.set_facecolor(colours["page"])
    axes.tick_params(colors=colours["ink"], length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(colours["grid"])
    for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
        text.set_color(colours["ink"])


def _pictures(graded: list[Result], topic: str) -> str:
    """The picture for light and for dark, with what it shows in words."""
    hard = ", ".join(f"{name} {share:.0%}" for name, share in shares(graded, topic).items())
    totals = ", ".join(f"{total:g}" for total in sorted(result.total for result in graded))
    said = f"Left, how total points are distributed: {totals}. Right, the mean share of points: {hard}."
    light, dark = (_data(picture(graded, topic, colours, "svg")) for colours in (LIGHT, DARK))
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{html.escape(said)}"></picture>'
    )


def _data(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def _people(found: list[Result]) -> str:
    needed = [result for result in found if result.person]
    if not needed:
        return '<p class="soft">Nobody needs a person to look.</p>'
    rows = "".join(
        f'<tr class="flag"><th scope="row">{html.escape(r.student)}</th><td>{html.escape(r.person)}</td></tr>'
        for r in needed
    )
    return f'<h2>Who needs a person</h2><div class="scroll"><table><tbody>{rows}</tbody></table></div>'


def _mistakes(graded: list[Result], topic: str) -> str:
    made = mistakes_made(graded)
    if not made:
        return "<p>None was made.</p>"
    order = list(exercises_of(topic))
    ranked = sorted(made.items(), key=lambda item: (-item[1], order.index(item[0][0]), item[0][1]))
    rows = "".join(
        f'<tr><td class="number"><span class="bar" style="width:{4 * count / ranked[0][1]:.2f}rem"></span>'
        f"{count}</td><td><code>{html.escape(exercise)}</code></td><td>{marked(sentence)}</td></tr>"
        for (exercise, _, sentence), count in ranked
    )
    head = '<th class="number">Students</th><th>Exercise</th><th>What they were told</th>'
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _everybody(found: list[Result], topic: str) -> str:
    exercises = exercises_of(topic)
    heads = "".join(
        f'<th class="number"><code>{html.escape(name)}</code><br>of {exercise.points()}</th>'
        for name, exercise in exercises.items()
    )
    rows = []
    for result in found:
        name = f'<th scope="row">{html.escape(result.student)}</th>'
        if not result.graded:
            why = f'<td colspan="{len(exercises) + 1}">{html.escape(result.person)}</td>'
            rows.append(f'<tr class="flag">{name}{why}</tr>')
            continue
        points = "".join(_points(result.points[n], e.points()) for n, e in exercises.items())
        flag = ' class="flag"' if result.person else ""
        rows.append(f'<tr{flag}>{name}{points}<td class="number"><strong>{result.total:g}</strong></td></tr>')
    head = f'<tr><th>Student</th>{heads}<th class="number">Total</th></tr>'
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'


def _points(number: float, of: int) -> str:
    return f'<td class="number{" lost" if number < of else ""}">{number:g}</td>'
