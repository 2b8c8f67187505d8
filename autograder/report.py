"""The instructor's page: how a class did, what was hard, which mistakes were made, and who needs a person."""

import html
from collections import Counter, defaultdict
from pathlib import Path
from statistics import StatisticsError, correlation, mean, median

from autograder import report_plots
from autograder.course import Course
from autograder.exercises import exercises_of
from autograder.feedback import marked, points
from autograder.intake.submission import shown
from autograder.report_plots import Plot
from autograder.results import Result, settled_results
from autograder.store import write_whole

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --page: #ffffff; --line: #d9dfe7;
        --bar: #2f6db3; --flag: #fff4d6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --soft: #9aa6b5; --page: #12161c; --line: #333d4a;
          --bar: #6aa7ee; --flag: #33290e; }
}
body { max-width: 64rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; background: var(--page);
       color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p { margin: .4rem 0; max-width: 48rem; }
p, tbody th, .told { overflow-wrap: anywhere; } .soft { color: var(--soft); }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; flex: 1 1 min(100%, 24rem); max-width: 31.5rem; }
figcaption { color: var(--soft); font-size: .93rem; text-align: center; }
img { width: 100%; height: auto; display: block; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; padding: .4rem .6rem; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; color: var(--soft); font-weight: 600; }
tbody th { min-width: 6rem; max-width: 16rem; } tbody .name { min-width: 0; } .told { min-width: 9rem; }
td.number { white-space: nowrap; } .number { text-align: right; font-variant-numeric: tabular-nums; }
.lost { color: var(--soft); } .flag td, .flag th { background: var(--flag); }
.bar { display: inline-block; height: .7rem; margin-right: .5rem; background: var(--bar); }
code { font-size: .95em; } summary { cursor: pointer; }
@media (min-width: 30rem) { .name { white-space: nowrap; } .name wbr { display: none; } }
@media (max-width: 30rem) {
  table { font-size: .85rem; } th, td { padding: .35rem .3rem; } .bar { display: none; }
}
"""
MANY = 25  # rows that are shown at once in the middle of the page
FEW = 30  # students below which a correlation says little


def write_report(course: Course, topic: str) -> Path:
    """Write `report/TOPIC.html` and its plots as a picture, `report/TOPIC.png`; return the page's path.

    Raises CourseError where grading has not begun.
    """
    found = settled_results(course, topic)
    page = course.path / "report" / f"{topic}.html"
    write_whole(page, as_html(found, topic).encode())
    if plots := _plots(found, topic):
        write_whole(page.with_suffix(".png"), report_plots.png(plots))
    return page


def as_html(found: list[Result], topic: str) -> str:
    """The page: one file that needs no other and asks nobody."""
    graded = [result for result in found if result.graded]
    title = f"{html.escape(topic)}: how the class did"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{title}</h1>
{_summary(found, topic)}
{_people(found)}
<h2>Points and time</h2>
{_figures(_overall(found, topic))}
{_time(found)}
<h2>Exercises</h2>
{_exercises(graded, topic)}
<h2>Known mistakes, the most frequent first</h2>
{_mistakes(graded, topic)}
<h2>Repaired files</h2>
{_repairs(found)}
<h2>Everybody</h2>
{_everybody(found, topic)}
</body>
</html>
"""


def shares(graded: list[Result], topic: str) -> dict[str, float]:
    """For each exercise, the mean share of its points: the lower, the harder."""
    return {
        name: mean(result.points[name] for result in graded if name in result.points) / exercise.points()
        for name, exercise in _graded_exercises(graded, topic).items()
    }


def discriminations(graded: list[Result], topic: str) -> dict[str, float | None]:
    """For each exercise, how its points correlate with those of all the others together.

    None where either is the same for everybody. This is the corrected item-total correlation of classical
    item analysis (Crocker and Algina, Introduction to Classical and Modern Test Theory, 1986, chapter 14).
    """
    return {name: _discrimination(graded, name) for name in _graded_exercises(graded, topic)}


def _discrimination(graded: list[Result], name: str) -> float | None:
    given = [(r.points[name], sum(r.points.values()) - r.points[name]) for r in graded if name in r.points]
    # Rounded, or sums that differ by no more than the error of addition would seem to vary.
    own, others = zip(*((round(one, 6), round(rest, 6)) for one, rest in given), strict=True)
    try:
        return correlation(own, others)
    except StatisticsError:
        return None


def _graded_exercises(graded: list[Result], topic: str) -> dict:
    """The exercises that somebody has points in, in the chapter's order."""
    got = {name for result in graded for name in result.points}
    return {name: exercise for name, exercise in exercises_of(topic).items() if name in got}


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


def _of(topic: str) -> int:
    return sum(exercise.points() for exercise in exercises_of(topic).values())


def _overall(found: list[Result], topic: str) -> list[Plot]:
    totals = [result.total for result in found if result.graded]
    seconds = [result.seconds for result in found if result.seconds > 0]
    plots = [report_plots.of_totals(totals, _of(topic))] if totals else []
    return plots + ([report_plots.of_seconds(seconds)] if seconds else [])


def _each(graded: list[Result], topic: str) -> list[Plot]:
    if not graded:
        return []
    plots = [report_plots.of_difficulty(shares(graded, topic))]
    found = discriminations(graded, topic)
    defined = any(value is not None for value in found.values())
    return plots + ([report_plots.of_discrimination(found)] if defined else [])


def _plots(found: list[Result], topic: str) -> list[Plot]:
    return _overall(found, topic) + _each([result for result in found if result.graded], topic)


def _figures(plots: list[Plot]) -> str:
    return f'<div class="plots">{"".join(plot.html() for plot in plots)}</div>' if plots else ""


def _summary(found: list[Result], topic: str) -> str:
    count = Counter(result.state for result in found)
    states = ", ".join(f"{number} {state}" for state, number in count.most_common())
    totals = [result.total for result in found if result.graded]
    said = f"{len(found)} submission{'s' if len(found) != 1 else ''}: {html.escape(states)}."
    if not totals:
        return f"<p>{said} Nobody has points yet.</p>"
    return (
        f"<p>{said} Mean {mean(totals):.1f} of {points(_of(topic))}, median {median(totals):g}, "
        f"from {min(totals):g} to {max(totals):g}.</p>"
    )


def _students(number: int) -> str:
    return f"{number} student" + ("" if number == 1 else "s")


def _people(found: list[Result]) -> str:
    needed = [result for result in found if result.person]
    if not needed:
        return '<p class="soft">Nobody needs a person to look.</p>'
    rows = [
        f'<tr class="flag">{_name(r)}<td>{html.escape(r.state)}</td><td class="told">{_why(r)}</td></tr>'
        for r in needed
    ]
    table = _table(["Student", "State", "Why"], rows)
    if len(needed) > MANY:
        table = f"<details><summary>{_students(len(needed))}</summary>{table}</details>"
    return f"<h2>Who needs a person</h2>{table}"


def _time(found: list[Result]) -> str:
    timed = [result for result in found if result.seconds > 0]
    if not timed:
        return '<p class="soft">Times were not measured.</p>'
    slowest = max(timed, key=lambda result: result.seconds)
    middle = median(result.seconds for result in timed)
    return (
        f"<p>Running and checking one submission took {_seconds(middle)} (median); the slowest, "
        f"<bdi>{html.escape(shown(slowest.student))}</bdi>, took {_seconds(slowest.seconds)}.</p>"
    )


def _seconds(number: float) -> str:
    return f"{number:.2g}&nbsp;s" if number < 10 else f"{number:.0f}&nbsp;s"


def _exercises(graded: list[Result], topic: str) -> str:
    if not graded:
        return "<p>Nobody has points yet.</p>"
    hard, discriminating = shares(graded, topic), discriminations(graded, topic)
    rows = [
        f'<tr><th scope="row" class="name">{_code(name)}</th>'
        f'<td class="number">{exercise.points()}</td><td class="number">{hard[name]:.0%}</td>'
        f'<td class="number">{_correlation(discriminating[name])}</td></tr>'
        for name, exercise in _graded_exercises(graded, topic).items()
    ]
    few = f" With {_students(len(graded))} it says little." if len(graded) < FEW else ""
    return f"""{_figures(_each(graded, topic))}
{_table(["Exercise", "#Points", "#Difficulty", "#Discrimination"], rows)}
<p class="soft">Difficulty is the mean share of the points: the lower, the harder. Discrimination is the
correlation between an exercise’s points and the points of all the others together: near 1, who does well
elsewhere does well here; near 0 or below, the exercise asks for something else, or something is wrong with
it. A dash stands where everybody has the same points.{few} Source: corrected item-total correlation of
classical item analysis; L. Crocker and J. Algina, Introduction to Classical and Modern Test Theory, 1986,
chapter 14.</p>"""


def _correlation(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _mistakes(graded: list[Result], topic: str) -> str:
    made = mistakes_made(graded)
    if not made:
        return "<p>None was made.</p>"
    order = [*exercises_of(topic), *(exercise for exercise, _, _ in made)]
    ranked = sorted(made.items(), key=lambda item: (-item[1], order.index(item[0][0]), item[0][1]))
    rows = [
        f'<tr><td class="number"><span class="bar" style="width:{4 * count / ranked[0][1]:.2f}rem"></span>'
        f'{count}</td><td class="name">{_code(exercise)}</td>'
        f'<td class="told">{marked(shown(sentence, 500))}</td></tr>'
        for (exercise, _, sentence), count in ranked
    ]
    return _table(["#Students", "Exercise", "What they were told"], rows)


def _repairs(found: list[Result]) -> str:
    whose = defaultdict(list)
    for result in found:
        for repair in result.repairs:
            whose[repair].append(f"<bdi>{html.escape(shown(result.student))}</bdi>")
    if not whose:
        return "<p>No file had to be repaired.</p>"
    rows = [
        f'<tr><td class="told">{marked(shown(repair, 500))}</td><td class="number">{len(students)}</td>'
        f'<td class="told">{", ".join(students)}</td></tr>'
        for repair, students in sorted(whose.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    return _table(["What was repaired", "#Files", "Whose"], rows)


def _everybody(found: list[Result], topic: str) -> str:
    exercises = exercises_of(topic)
    heads = [f"#{_code(name)}<br>of {exercise.points()}" for name, exercise in exercises.items()]
    rows = []
    for result in found:
        flag = ' class="flag"' if result.person or not result.graded else ""
        if result.graded:
            cells = "".join(_points(result.points.get(n), e.points()) for n, e in exercises.items())
            cells += f'<td class="number"><strong>{result.total:g}</strong></td>'
        else:
            cells = f'<td colspan="{len(exercises) + 1}">{_why(result)}</td>'
        rows.append(f"<tr{flag}>{_name(result)}{cells}</tr>")
    return _table(["Student", *heads, "#Total"], rows)


def _name(result: Result) -> str:
    return f'<th scope="row">{html.escape(shown(result.student))}</th>'


def _code(name: str) -> str:
    """The name of an exercise; where room is scarce it breaks after an underscore."""
    return f"<code>{html.escape(name).replace('_', '_<wbr>')}</code>"


def _why(result: Result) -> str:
    return html.escape(shown(result.person or result.state, 500))


def _points(number: float | None, of: int) -> str:
    if number is None:
        return '<td class="number lost">–</td>'
    return f'<td class="number{" lost" if number < of else ""}">{number:g}</td>'


def _table(heads: list[str], rows: list[str]) -> str:
    """A table that scrolls on its own where it is too wide; `#` before a head is for numbers."""
    head = "".join(
        f'<th scope="col" class="number">{h[1:]}</th>' if h.startswith("#") else f'<th scope="col">{h}</th>'
        for h in heads
    )
    body = "".join(rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
