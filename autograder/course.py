"""A course on disk, in nbgrader's own layout, and what nbgrader is told about it.

`source/`, `release/`, `submitted/`, `autograded/` and `feedback/` are nbgrader's steps, `gradebook.db` is its
database, `nbgrader_config.py` is read by all of its tools, formgrader included. Besides there are the
`course_key`, the secret that random inputs are drawn from, `nbgrader.log`, all that nbgrader had to say,
`collected/`, what students are called where their work was collected from, and of what time it is,
`superseded/`, what newer work took the place of, `intake/`, clean copies of what was handed in, `store/`,
results by their hash, `records/`, what was settled for each student, `backups/` of the gradebook, `report/`,
the instructor's page, and `export/`.
"""

import glob
import logging
import os
import secrets
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import nbgrader
from filelock import FileLock, Timeout
from nbgrader.api import Gradebook
from nbgrader.converters import BaseConverter, GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SAWarning
from traitlets.config import Config, PyFileConfigLoader

from autograder import notebooks
from autograder.chapters import STUB_COMMENT, chapter_path, read_chapter
from autograder.errors import CourseError
from autograder.sandbox.bubble import Limits
from autograder.text import safe

CONFIG = """\
# nbgrader reads this file whatever it does here, formgrader included.
from autograder.course import configure

c = get_config()  # noqa: F821
configure(c)

# Your own settings come after this line, for example:
# c.Sandbox.step = 60                              # seconds for a cell, or for one question to an answer
# c.Sandbox.seconds = 300                          # seconds for a whole notebook
# c.Sandbox.memory = 2 * 2**30                     # bytes for a notebook
# c.CourseDirectory.db_url = "postgresql+psycopg://grader@localhost/course"
# c.Exchange.root = "/srv/nbgrader/exchange"       # for nbgrader's exchange: you must be able to write there
# c.FeedbackPage.book_url = "https://example.org"  # where your class reads the book
"""
# Ours come first: `feedback` is ours, `formgrade` is nbgrader's.
TEMPLATES = [
    str(Path(__file__).parent / "templates"),
    str(Path(nbgrader.__file__).parent / "server_extensions" / "formgrader" / "templates"),
]


def configure(c: Config) -> None:
    """What nbgrader must know about the course; called by each course's `nbgrader_config.py`."""
    _have_alembic_on_the_path()
    c.CourseDirectory.course_id = "decoder-from-scratch"
    c.ClearSolutions.code_stub = {"python": STUB_COMMENT}
    c.OverwriteCells.add_missing_cells = True
    c.Autograde.sanitize_preprocessors = ["autograder.steps.Intake", "nbgrader.preprocessors.OverwriteCells"]
    c.Autograde.autograde_preprocessors = [
        "autograder.steps.Grade",
        "nbgrader.preprocessors.SaveAutoGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
        "autograder.steps.Settle",
    ]
    c.GenerateFeedback.preprocessors = [
        "nbgrader.preprocessors.GetGrades",
        "nbgrader.preprocessors.ClearHiddenTests",
        "autograder.feedback_page.FeedbackPage",
    ]
    c.Exporter.optimistic_validation = True
    c.HTMLExporter.sanitize_html = True
    c.HTMLExporter.extra_template_basedirs = TEMPLATES


class Course:
    """A course directory. `Course.made(path)` makes it on first use, `Course.opened(path)` does not."""

    def __init__(self, path: Path):
        self.path = Path(path).resolve()

    @classmethod
    def opened(cls, path: Path) -> "Course":
        """The course at a path; CourseError where there is none."""
        course = cls(path)
        if not course.config_file.is_file():
            raise CourseError(
                f"there is no course in {path}: make one with `autograder release TOPIC --course {path}`, "
                "or say with --course where yours is"
            )
        return course

    @classmethod
    def made(cls, path: Path) -> "Course":
        """The course at a path, made where nothing is yet; CourseError where something else is."""
        course = cls(path)
        if course.config_file.is_file():
            return course
        if course.path.exists() and (not course.path.is_dir() or any(course.path.iterdir())):
            raise CourseError(f"{path} holds something else: give --course a new or an empty directory")
        course.path.mkdir(parents=True, exist_ok=True)
        key = os.open(course.path / "course_key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(key, "w") as file:
            file.write(secrets.token_hex(32))
        course.config_file.write_text(CONFIG, encoding="utf-8")
        return course

    @property
    def config_file(self) -> Path:
        return self.path / "nbgrader_config.py"

    def folder(self, step: str, student: str, topic: str) -> Path:
        """Where nbgrader keeps a student's notebook at a step: submitted, autograded or feedback."""
        return self.path / step / student / topic

    def notebook(self, step: str, student: str, topic: str, suffix: str = ".ipynb") -> Path:
        """A student's notebook at a step, or what was made of it."""
        return self.folder(step, student, topic) / f"{chapter_path(topic).stem}{suffix}"

    def released(self, topic: str) -> Path:
        """The released notebook; CourseError where the topic has not been released."""
        path = self.path / "release" / topic / f"{chapter_path(topic).stem}.ipynb"
        if not path.is_file():
            raise CourseError(
                f"the topic {topic} has not been released here: run `autograder release {topic}` first"
            )
        return path

    def students(self, topic: str) -> list[str]:
        """Who handed something in, in alphabetical order; CourseError where nobody did."""
        self.released(topic)
        found = sorted(path.parent.name for path in self.path.glob(f"submitted/*/{topic}"))
        if not found:
            raise CourseError(
                f"nobody has handed in {topic}: put notebooks into submitted/STUDENT/{topic}/, "
                f"or try `autograder sample-class {topic}`"
            )
        return found

    def release(self, topic: str) -> Path:
        """Write nbgrader's source of a chapter and let nbgrader make the student's notebook of it."""
        chapter = read_chapter(chapter_path(topic))
        source = self.path / "source" / topic / f"{chapter.path.stem}.ipynb"
        text = notebooks.write(notebooks.source(chapter))
        released = self.path / "release" / topic / source.name
        if released.is_file() and source.is_file() and source.read_text(encoding="utf-8") == text:
            return released
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text, encoding="utf-8")
        try:
            self.convert(GenerateAssignment, topic)
        except Exception as error:
            raise CourseError(f"nbgrader could not release {topic}: {reason(error)}") from error
        return released

    def gradebook(self) -> Gradebook:
        """nbgrader's gradebook, to be used in a `with` statement."""
        config = self._config()
        return Gradebook(CourseDirectory(config=config).db_url, config.CourseDirectory.course_id)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one that writes into the course; CourseError where another command does."""
        try:
            lock = FileLock(self.path / ".writing.lock").acquire(timeout=0)
        except Timeout:
            raise CourseError("another command is writing into this course: wait for it to end") from None
        with lock:
            yield

    def key(self) -> str:
        """The secret that random inputs are drawn from."""
        return (self.path / "course_key").read_text(encoding="utf-8").strip()

    def limits(self) -> dict:
        """What one submission may use, as the course's configuration has it."""
        return asdict(Limits(**self._config().get("Sandbox", {})))

    def convert(
        self,
        converter: type[BaseConverter],
        topic: str,
        student: str = "*",
        taken_in: bool = False,
        unprotected: bool = False,
    ) -> None:
        """Run one of nbgrader's converters anew; what goes wrong inside it is raised as it was.

        With `taken_in`, it takes the clean notebooks of `intake/`; `unprotected`, its own steps without ours.
        """
        config = self._config()
        if taken_in:
            config.CourseDirectory.submitted_directory = "intake"
        if unprotected:
            for steps in ("sanitize_preprocessors", "autograde_preprocessors"):
                config.Autograde.pop(steps, None)
            config.Execute.timeout = 60
            config.Execute.shutdown_kernel = "immediate"
        config.CourseDirectory.assignment_id = topic
        config.CourseDirectory.student_id = student if student == "*" else glob.escape(student)
        log = logging.getLogger("autograder.nbgrader")
        log.propagate = False
        log.setLevel(logging.INFO)
        caught = _LastError()
        file = logging.FileHandler(self.path / "nbgrader.log", encoding="utf-8", delay=True)
        who = safe(f"{topic} {student}").replace("%", "%%")
        file.setFormatter(logging.Formatter(f"%(asctime)s {who} %(levelname)s %(message)s"))
        log.handlers = [caught, file]
        try:
            run = converter(coursedir=CourseDirectory(config=config, log=log), config=config, log=log)
            run.force = True
            with warnings.catch_warnings():  # nbgrader 0.9 does what SQLAlchemy 2 remarks upon; all is saved
                warnings.simplefilter("ignore", SAWarning)
                run.start()
        except Exception as error:
            raise (caught.error or error) from None
        finally:
            file.close()
            log.handlers = [logging.NullHandler()]

    def _config(self) -> Config:
        config = PyFileConfigLoader(self.config_file.name, path=str(self.path)).load_config()
        config.CourseDirectory.root = str(self.path)
        return config


def reason(error: BaseException) -> str:
    """An error in a few words, on one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


class _LastError(logging.Handler):
    """Remembers the last error that nbgrader logs while handling it: what it raises then says less."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.error: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.error = sys.exc_info()[1] or self.error


def _have_alembic_on_the_path() -> None:
    """nbgrader calls `alembic` by name; it lies beside Python where the environment is not activated."""
    scripts = sysconfig.get_path("scripts")
    if scripts not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", "")])


@event.listens_for(Engine, "connect")
def _wait_for_other_writers(connection, _record) -> None:
    """Two workers write to one SQLite file: each waits for the other instead of giving up after 5 s."""
    if type(connection).__module__.startswith("sqlite3"):
        connection.execute("PRAGMA busy_timeout = 60000")
