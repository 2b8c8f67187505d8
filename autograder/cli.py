"""The instructor's commands. Each begins light and imports what it needs, so that help comes at once."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from autograder.errors import CourseError
from autograder.text import safe

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Hand out a chapter's exercises, grade what comes back with nbgrader, and write feedback.\n\n"
    "To see it all at work on a class that the course makes up: autograder tour masks",
)
Topic = Annotated[str, typer.Argument(help="The chapter's topic, such as masks.", show_default=False)]
Where = Annotated[Path, typer.Option("--course", help="The course directory, in nbgrader's own layout.")]
HERE = Path("course")
console = Console()


@app.command()
def release(topic: Topic, course: Where = HERE) -> None:
    """Make the notebook that students get, with nbgrader's generate_assignment.

    Example: autograder release masks

    The course directory is made on first use. The notebook to hand out is then release/TOPIC/NN_TOPIC.ipynb.
    """
    with _errors(topic):
        notebook = _release(topic, course)
        _say(f"{_near(notebook)} is what your students get.")
        _say(f"What comes back goes to {course}/submitted/STUDENT/{topic}/; then: autograder grade {topic}")


@app.command()
def collect(
    topic: Topic,
    source: Annotated[
        Path, typer.Argument(help="A folder, a zip archive, or nbgrader's exchange.", show_default=False)
    ],
    course: Where = HERE,
) -> None:
    """Bring in what students handed in: from Moodle, Canvas, nbgrader's exchange, a folder or an archive.

    Example: autograder collect masks downloads.zip

    The same again changes nothing, a newer submission takes the place of an older one, which is kept in
    superseded/, and what cannot be understood is listed with the reason. Stopped at any moment, the same
    command goes on where it was.
    """
    with _errors(topic):
        _collect(topic, source, course)
        _say(f"Next: autograder grade {topic} --course {course}")


@app.command()
def grade(
    topic: Topic,
    course: Where = HERE,
    force: Annotated[bool, typer.Option("--force", help="Grade everybody anew.")] = False,
    workers: Annotated[
        int,
        typer.Option("--workers", min=0, help="How many at a time; 0 leaves one processor to the writer."),
    ] = 0,
    scheduler: Annotated[
        str, typer.Option("--scheduler", help="The address of a Dask cluster that is to do the work.")
    ] = "",
    unprotected: Annotated[
        bool, typer.Option("--unprotected", help="Run notebooks as stock nbgrader does, without a wall.")
    ] = False,
) -> None:
    """Grade all submissions behind a wall, and write the points into nbgrader's gradebook.

    Example: autograder grade masks --force

    Who has been graded and has handed in nothing new is skipped. A submission that cannot be graded
    never stops the others and never gets a zero: it is marked for a person, with the reason. Stopped at
    any moment, the same command goes on where it was.
    """
    with _errors(topic):
        if unprotected:
            _grade_unprotected(topic, course)
        else:
            _grade(topic, course, force, workers, scheduler)
        _say(f"Next: autograder feedback {topic} --course {course}")


@app.command()
def feedback(topic: Topic, course: Where = HERE) -> None:
    """Write each graded student a page and a Markdown file, with nbgrader's generate_feedback.

    Example: autograder feedback masks

    They are feedback/STUDENT/TOPIC/NN_TOPIC.html and .md. Hidden checks are never shown.
    """
    with _errors(topic):
        pages = _feedback(topic, course)
        _say(f"{_near(pages[0])} is the first of {len(pages)} pages.")


@app.command()
def report(topic: Topic, course: Where = HERE) -> None:
    """Write the instructor's page: points, how hard each exercise was, the mistakes, who needs a person.

    Example: autograder report masks
    """
    with _errors(topic):
        _say(f"Open {_near(_report(topic, course))} to see how the class did.")


@app.command()
def export(
    topic: Topic,
    course: Where = HERE,
    to: Annotated[str, typer.Option("--to", help="csv for any spreadsheet, canvas or moodle.")] = "csv",
    roster: Annotated[
        Path | None,
        typer.Option(
            "--roster", help="The gradebook, or Moodle's grading worksheet, as the LMS exported it."
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option("--column", help="The assignment's column in it, if it is not called like the topic."),
    ] = None,
) -> None:
    """Write everybody's points as a CSV file: for a spreadsheet, or to be imported by Canvas or Moodle.

    Example: autograder export masks --to canvas --roster grades.csv

    Who has no points never gets a zero. With a roster, everybody keeps the row that they have there.
    """
    with _errors(topic):
        from autograder.course import Course
        from autograder.export import export as write

        path, unmatched, without = write(Course.opened(course), topic, to, roster, column)
        if unmatched:
            _say(f"Not clearly one person in the roster: {', '.join(unmatched)}.", style="yellow")
        if without:
            _say(f"Without points: {', '.join(without)}.", style="yellow")
        _say(f"{_near(path)} is ready.")


@app.command()
def sample_class(topic: Topic, course: Where = HERE) -> None:
    """Make up a class of submissions: right answers, every known mistake, a blank and a half-done notebook.

    Example: autograder sample-class masks --course /tmp/try

    The topic is released first where it has not been. The same class comes out each time.
    """
    with _errors(topic):
        _release(topic, course)
        _sample_class(topic, course)
        _say(f"Next: autograder grade {topic} --course {course}")


@app.command()
def tour(topic: Topic, course: Where = HERE) -> None:
    """Go the whole way once: release, sample class, grades, feedback, report. What is done is not done again.

    Example: autograder tour masks
    """
    with _errors(topic):
        _release(topic, course)
        _sample_class(topic, course)
        _grade(topic, course, force=False)
        pages = _feedback(topic, course)
        _say(f"A student reads, for example, {_near(pages[-1])}")
        _say(f"Open {_near(_report(topic, course))} to see how the class did.")


@app.command()
def explain(
    student: Annotated[str, typer.Argument(help="Whose answer.", show_default=False)],
    exercise: Annotated[str, typer.Argument(help="Which exercise, such as causal_mask.", show_default=False)],
    course: Where = HERE,
) -> None:
    """Replay how a student's points for an exercise came about, with the same random inputs.

    Example: autograder explain ada causal_mask

    It shows what was asked, what the answer gave, what was expected, and which known mistake does the same.
    """
    with _errors():
        _explain(student, exercise, course)


@app.command()
def doctor(
    prove: Annotated[
        bool, typer.Option("--prove", help="Grade a solved and a blank notebook, and try to break out.")
    ] = False,
    course: Where = HERE,
) -> None:
    """Tell which layers of the wall around students' code work on this machine, and how to get the others.

    Example: autograder doctor --prove

    With --prove, the grader is tried on a notebook that is all right and on one that is blank, and code
    inside the wall tries what it must not be able to do. Every `autograder grade` does so before it begins.
    """
    with _errors():
        _doctor(prove, course)


@app.command()
def check() -> None:
    """Read all chapters and say what is wrong with the first that is, by file and line.

    Example: autograder check
    """
    with _errors():
        from autograder.chapters import chapter_paths, read_chapter

        chapters = [read_chapter(path) for path in chapter_paths()]
        exercises = sum(len(chapter.tasks) for chapter in chapters)
        _say(f"Nothing is wrong with {len(chapters)} chapters and {exercises} exercises.")


@app.command()
def notebooks() -> None:
    """Write the students' notebooks beside their chapters, where they have changed.

    Example: autograder notebooks
    """
    with _errors():
        from autograder.chapters import chapter_paths, read_chapter
        from autograder.notebooks import student, student_path, write

        for path in chapter_paths():
            chapter = read_chapter(path)
            written, text = student_path(chapter), write(student(chapter))
            if not written.is_file() or written.read_text(encoding="utf-8") != text:
                written.write_text(text, encoding="utf-8")
                _say(f"{_near(written)} is new.")


@app.command("list")
def list_topics() -> None:
    """List the chapters that have exercises, with their points.

    Example: autograder list
    """
    with _errors():
        from rich.table import Table

        from autograder.chapters import chapter_paths
        from autograder.exercises import exercises_of

        table = Table("Topic", "Exercises (points)")
        for path in chapter_paths():
            exercises = exercises_of(path.stem[3:]).values()
            table.add_row(path.stem[3:], ", ".join(f"{e.name} ({e.points()})" for e in exercises))
        console.print(table)


def _release(topic: str, course: Path) -> Path:
    from autograder.course import Course

    return Course.made(course).release(topic)


def _collect(topic: str, source: Path, course: Path) -> None:
    from collections import Counter

    from autograder.collect import collect
    from autograder.course import Course

    done = Counter()
    for one in collect(Course.made(course), topic, source):
        done[one.what] += 1
        if one.reason:
            who = one.name if one.student in ("", one.name) else f"{one.name} ({one.student})"
            _say(f"{who}: {one.reason}.", style="yellow")
    words = {"same": "unchanged", "older": "older than what is there"}
    _say(", ".join(f"{number} {words.get(what, what)}" for what, number in done.items()) + ".")


def _sample_class(topic: str, course: Path) -> None:
    from autograder.course import Course
    from autograder.sample_class import write_sample_class

    students = write_sample_class(Course.opened(course), topic)
    _say(f"{len(students)} students have handed in {topic}: {', '.join(students)}.")


def _grade(topic: str, course: Path, force: bool, workers: int = 0, scheduler: str = "") -> None:
    from autograder.sandbox.bubble import end_zygote, zygote_of

    try:
        if any(course.glob(f"submitted/*/{topic}")):
            zygote_of(topic)  # it loads its libraries while we load ours
        from autograder import doctor, grading
        from autograder.course import Course

        opened = Course.opened(course)
        everybody = opened.students(topic)
        students = everybody if force else grading.ungraded(opened, topic)
        if len(students) < len(everybody):
            _say(f"{len(everybody) - len(students)} of {len(everybody)} are graded and unchanged.")
        if students:
            _say(doctor.in_one_line())
            doctor.proved(topic, grading.released(opened, topic), zygote_of(topic), opened)
            graded = grading.grade(opened, topic, students, workers or grading.WORKERS, scheduler, force)
            for _ in _progress(graded, len(students), f"Grading {topic}"):
                pass
    finally:
        end_zygote(topic)
    _table(opened, topic)
    _states(opened, topic)


def _grade_unprotected(topic: str, course: Path) -> None:
    from autograder.course import Course
    from autograder.unprotected import LOST, grade

    opened = Course.opened(course)
    _say(f"Unprotected: {LOST}", style="yellow")
    students = opened.students(topic)
    failed = dict(_progress(grade(opened, topic, students), len(students), f"Grading {topic}"))
    for student, why in sorted(failed.items()):
        if why:
            _say(f"{student} could not be graded: {why}.", style="yellow")


def _explain(student: str, exercise: str, course: Path) -> None:
    from rich.syntax import Syntax

    from autograder.chapters import chapter_paths
    from autograder.course import Course
    from autograder.exercises import exercises_of
    from autograder.explain import explain
    from autograder.sandbox.bubble import end_zygote

    topics = [path.stem[3:] for path in chapter_paths() if exercise in exercises_of(path.stem[3:])]
    if not topics:
        raise CourseError(f"there is no exercise {exercise}: `autograder list` names them all")
    opened = Course.opened(course)
    if student not in opened.students(topics[0]):
        raise CourseError(f"{student} has handed in nothing for {topics[0]}")
    try:
        explained = explain(opened, topics[0], student, exercise)
    finally:
        end_zygote(topics[0])
    answer = safe(explained.source) or "# no answer"
    console.print(Syntax(answer, "python", background_color="default", word_wrap=True))
    for finding in explained.verdict.findings:
        tick = "✓" if finding.points == finding.of else "✗"
        _say(f"{tick} {finding.behaviour}: {finding.points} of {finding.of}", style="bold")
        for question in explained.questions[finding.behaviour]:
            _say(f"    {question.asked}", style=None if question.right else "red")
            if not question.right:
                _say(f"    gives    {question.gave}".replace("\n", "\n             "))
                _say(f"    expected {question.expected}".replace("\n", "\n             "))
                _say(f"    {finding.message}")
    if explained.verdict.mistake:
        _say(f"The known mistake {explained.verdict.mistake} does the same: {explained.verdict.sentence}")
    if not explained.as_recorded:
        _say(
            "This is not what was recorded: it was handed in again, or graded by other checks.",
            style="yellow",
        )


def _doctor(prove: bool, course: Path) -> None:
    from autograder import doctor

    good = True
    for finding in doctor.layers():
        good &= _found(finding)
    if prove:
        from autograder.chapters import chapter_paths, read_chapter
        from autograder.course import Course
        from autograder.notebooks import student
        from autograder.sandbox.bubble import end_zygote, zygote_of

        opened = Course(course) if Course(course).config_file.is_file() else None
        for path in chapter_paths():
            topic = path.stem[3:]
            try:
                for finding in doctor.proof(topic, student(read_chapter(path)), zygote_of(topic), opened):
                    good &= _found(finding)
            finally:
                end_zygote(topic)
    _say(doctor.in_one_line())
    if not good:
        raise typer.Exit(1)


def _found(finding) -> bool:
    """Show one finding of the doctor."""
    _say(f"{'✓' if finding.good else '✗'} {finding.what}", style=None if finding.good else "red")
    if finding.said and not (finding.good and finding.what[:4] in ("the ", "stud")):
        _say(f"    {finding.said}")
    return finding.good


def _feedback(topic: str, course: Path) -> list[Path]:
    from autograder.course import Course
    from autograder.grading import write_feedback

    opened = Course.opened(course)
    number = len(opened.students(topic))
    pages = dict(_progress(write_feedback(opened, topic), number, "Writing feedback"))
    if left := [student for student, page in pages.items() if not page]:
        _say(f"Without feedback, since they are not graded: {', '.join(left)}.", style="yellow")
    if len(left) == len(pages):
        raise CourseError(f"nobody has been graded for {topic} yet: run `autograder grade {topic}` first")
    return [page for page in pages.values() if page]


def _report(topic: str, course: Path) -> Path:
    from autograder.course import Course
    from autograder.report import write_report

    return write_report(Course.opened(course), topic)


@contextmanager
def _errors(topic: str | None = None) -> Iterator[None]:
    """Whatever an instructor can put right becomes one sentence; nothing else is hidden."""
    from autograder.chapters import ChapterError, chapter_path

    try:
        if topic is not None:
            _known(topic, chapter_path)
        yield
    except KeyboardInterrupt:
        print("Stopped; what is graded stays graded, the same command goes on from here.", file=sys.stderr)
        raise typer.Exit(130) from None
    except ChapterError as error:  # begins with the file, as editors and terminals expect
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    except CourseError as error:
        sentence = str(error).strip()
        print(sentence[:1].upper() + sentence[1:] + ("" if sentence.endswith(".") else "."), file=sys.stderr)
        raise typer.Exit(1) from None


def _known(topic: str, chapter_path) -> None:
    """An unknown topic is found before anything heavy is imported."""
    try:
        chapter_path(topic)
    except ValueError as error:
        raise CourseError(str(error)) from None


def _progress(steps: Iterator, number: int, what: str) -> Iterator:
    """The same steps, with a bar that tells their rate and the time that is left."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    columns += [TextColumn("{task.fields[rate]}"), TimeRemainingColumn()]
    with Progress(*columns, console=console, transient=not console.is_terminal) as bar:
        task = bar.add_task(what, total=number, rate="")
        for step in steps:
            yield step
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            bar.update(task, advance=1, rate=f"{60 * speed:.0f} a minute" if speed else "")


def _table(course, topic: str) -> None:
    """Points of everybody, exercise by exercise."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from autograder.exercises import exercises_of
    from autograder.results import results

    exercises = exercises_of(topic)
    of = sum(exercise.points() for exercise in exercises.values())
    table = Table("Student", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for name, exercise in exercises.items():
        table.add_column(f"{name.replace('_', chr(10))}\nof {exercise.points()}", justify="right")
    table.add_column(f"Total\nof {of}", justify="right", style="bold")
    for result in results(course, topic):
        points = [f"{result.points[name]:g}" if result.graded else "?" for name in exercises]
        total = f"{result.total:g}" if result.graded else "?"
        table.add_row(Text(safe(result.student)), *points, total + ("*" if result.person else ""))
    console.print(table)


def _states(course, topic: str) -> None:
    """Who needs a person and why, and what was mended in whose file."""
    from autograder.results import results

    for result in results(course, topic):
        if result.person:
            _say(f"{result.student} ({result.state}): {result.person}.", style="yellow")
        for repair in result.repairs:
            _say(f"{result.student}: {repair}.")


def _say(sentence: str, style: str | None = None) -> None:
    console.print(safe(sentence), style=style, markup=False, highlight=False, soft_wrap=True)


def _near(path: Path) -> Path:
    """The path as it is typed from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
