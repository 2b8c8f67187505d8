"""Our steps in nbgrader's autograde, instead of running the notebook in a kernel (see `course.configure`).

`Intake` comes before nbgrader's own steps: it reads what was handed in and has it examined behind the wall.
`Grade` takes the place of nbgrader's Execute: it writes each graded cell's output from what was found.
`Settle` records the result. So it makes no difference whether `autograder grade`, which does the first and
the last step itself, or `nbgrader autograde`, or formgrader's button is used.
"""

from pathlib import Path

from nbformat import NotebookNode, from_dict
from nbgrader.converters import Autograde, BaseConverter
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from autograder.examination import Examined
from autograder.store import Store

MARK = "decoder_from_scratch"
DONE_BY_THE_GRADER = ("autograder.steps.Intake", "autograder.steps.Settle")


class AutogradeAtOnce(Autograde):
    """nbgrader's autograde of notebooks that are clean already: all steps in one go instead of in two."""

    def convert_single_notebook(self, notebook_filename: str) -> None:
        self._sanitizing = True
        self.exporter._preprocessors = []
        for step in (*self.sanitize_preprocessors, *self.autograde_preprocessors):
            if step not in DONE_BY_THE_GRADER:
                self.exporter.register_preprocessor(step)
        BaseConverter.convert_single_notebook(self, notebook_filename)


class Intake(NbGraderPreprocessor):
    """Puts a clean notebook in the place of what was handed in, and has it examined."""

    course = Unicode(".", help="The course's directory.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        from autograder.course import Course
        from autograder.grading import examined_here

        told = resources["nbgrader"]
        return examined_here(Course(Path(self.course)), told["assignment"], told["student"]), resources


class Grade(NbGraderPreprocessor):
    """Writes the outputs of graded cells from what was found."""

    course = Unicode(".", help="The course's directory.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        kept = Store(Path(self.course) / "store").get(nb.metadata[MARK]["key"])
        examined = Examined.from_dict(kept)
        topic = resources["nbgrader"]["assignment"]
        for cell in nb.cells:
            told = cell.metadata.get("nbgrader", {})
            name = told.get("grade_id", "").removeprefix(f"{topic}-").removesuffix("-tests")
            if told.get("grade") and name in examined.feedback:
                cell.outputs = from_dict(examined.feedback[name].outputs())
        return nb, resources


class Settle(NbGraderPreprocessor):
    """Records what was settled, and marks for a person what needs one."""

    course = Unicode(".", help="The course's directory.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        from autograder.course import Course
        from autograder.grading import settled_here

        told = resources["nbgrader"]
        kept = Store(Path(self.course) / "store").get(nb.metadata[MARK]["key"])
        settled_here(Course(Path(self.course)), told["assignment"], told["student"], Examined.from_dict(kept))
        return nb, resources
