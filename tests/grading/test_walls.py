"""Each layer of the wall: it stands, it is missed when it falls, and the grader says what it runs behind."""

import shutil
import struct

import nbformat
import pytest

from autograder import doctor
from autograder.chapters import ROOT, chapter_path, chapter_paths
from autograder.course import Course
from autograder.errors import CourseError
from autograder.exercises.namespace import Call, Near, Step
from autograder.sandbox import bubble
from autograder.sandbox.bubble import Limits, NoSandbox, Zygote
from autograder.sandbox.visit import Stopped, Visit

TOPIC = "masks"
RELEASED = nbformat.read(chapter_path(TOPIC).with_suffix(".ipynb"), as_version=4)
ALL = {"namespaces", "files", "limits", "privileges", "landlock", "seccomp"}

pytestmark = pytest.mark.skipif(
    any(bubble.probed().layers.values()), reason="This machine does not offer every layer."
)


@pytest.fixture(scope="module")
def zygote():
    with Zygote(TOPIC) as started:
        yield started


def test_all_layers_stand(zygote):
    with Visit(zygote, Limits()) as visit:
        assert set(visit.walls["up"]) == ALL and not visit.walls["missing"]
        assert visit.walls["process"] == 1 and visit.walls["user"] != 0


def test_two_students_share_no_namespace(zygote):
    with Visit(zygote, Limits()) as one, Visit(zygote, Limits()) as other:
        assert not set(one.walls["namespaces"].values()) & set(other.walls["namespaces"].values())
        (left,) = one.run(["open('/tmp/left', 'w').write('mine'); print(open('/tmp/left').read())"])
        (found,) = other.run(["import os; print(os.listdir('/tmp'), os.listdir('/dev/shm'))"])
    assert left.output == "mine\n" and found.output == "[] []\n"


def test_the_proof(zygote, tmp_path):
    findings = list(doctor.proof(TOPIC, RELEASED, zygote, Course.made(tmp_path / "course")))
    assert len(findings) == 2 + len(doctor.PROBES)
    assert all(finding.good for finding in findings), findings


@pytest.mark.parametrize(
    ("function", "missed"),
    [
        ("fork_apart", "files"),
        ("own_files", "a look at processes"),
        ("limit_resources", "more memory"),
        ("give_up_privileges", "more privileges"),
        ("restrict_files", "writing to a device"),
        ("filter_calls", "a socket"),
    ],
)
def test_a_layer_that_only_seems_to_stand_is_missed(function, missed, tmp_path, monkeypatch):
    """The code inside says that it put up the layer, and did not."""
    for path in ("autograder", "companion", "solutions"):
        shutil.copytree(ROOT / path, tmp_path / path)
    walls = tmp_path / "autograder" / "sandbox" / "walls.py"
    text = walls.read_text()
    result = "os.fork()" if function == "fork_apart" else "[]"
    walls.write_text(f"{text}\n\ndef {function}(*_):\n    return {result}\n")
    tmp_path.chmod(0o755)
    monkeypatch.setattr(bubble, "ROOT", tmp_path)
    with Zygote(TOPIC) as broken, pytest.raises(NoSandbox, match=missed), Visit(broken, Limits()):
        pass


def test_a_filter_that_lets_all_pass_is_missed(monkeypatch):
    allow_all = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
    monkeypatch.setattr(bubble.calls, "compiled", lambda: allow_all)
    with Zygote(TOPIC) as broken, pytest.raises(NoSandbox, match="a socket"), Visit(broken, Limits()):
        pass


def test_a_bubble_that_shows_too_much_is_found_by_the_proof(monkeypatch, tmp_path):
    course = Course.made(tmp_path / "course")
    whole = bubble._bubble
    solution = ROOT / "solutions" / "masks.py"
    shown = [*bubble._bound(solution, bubble.INSIDE / "solutions" / "masks.py"), "--remount-ro", "/"]
    monkeypatch.setattr(bubble, "_bubble", lambda topic: [*whole(topic)[:-5], *shown, "--"])
    with Zygote(TOPIC) as broken, pytest.raises(CourseError, match="cannot import checks or solutions"):
        doctor.proved(TOPIC, RELEASED, broken, course)


def missing(monkeypatch, **layers):
    offer = bubble.Offer({"bubblewrap": "", "seccomp": "", "landlock": "", **layers})
    monkeypatch.setattr(bubble, "probed", lambda: offer)
    monkeypatch.setattr(doctor, "probed", lambda: offer)


def test_without_bubblewrap_the_other_layers_are_enough_and_are_said(monkeypatch, tmp_path):
    missing(monkeypatch, bubblewrap="not installed")
    assert doctor.in_one_line() == (
        "Students' code runs behind seccomp and landlock only; missing: bubblewrap (not installed)."
    )
    course = Course.made(tmp_path / "course")
    with Zygote(TOPIC) as bare:
        doctor.proved(TOPIC, RELEASED, bare, course)


def test_without_a_wall_nothing_is_run(monkeypatch):
    missing(monkeypatch, bubblewrap="not installed", landlock="an old kernel")
    with pytest.raises(CourseError, match="nothing was run; missing: bubblewrap"):
        doctor.in_one_line()
    with pytest.raises(NoSandbox, match="an old kernel"):
        Zygote(TOPIC)


def test_only_earlier_solutions_are_inside(zygote):
    source = (
        "import os; print(sorted(os.listdir('/course/solutions')), sorted(os.listdir('/course/autograder')))"
    )
    with Visit(zygote, Limits()) as visit:
        (ran,) = visit.run([source])
    earlier = sorted(f"{path.stem[3:]}.py" for path in chapter_paths() if path < chapter_path(TOPIC))
    assert ran.output == f"{['__init__.py', *earlier]} ['__init__.py', 'exercises', 'sandbox']\n"


MODULE = """
import torch
class Scaled(torch.nn.Module):
    def __init__(self, size, factor=1.0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(size))
        self.factor, self.calls = factor, 0
    def forward(self, x):
        self.calls += 1
        return self.factor * self.weight * x
    def seen(self):
        return self.calls
"""


def test_a_module_stays_behind_the_wall_and_answers_like_one_that_is_near(zygote):
    import torch

    names: dict = {}
    exec(MODULE, names)
    x, upstream = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 5.0])
    steps = (
        *(Step(arguments=(x,)), Step(arguments=(x,), upstream=upstream), Step("seen")),
        *(Step("unknown", may_fail=True), Step(".calls"), Step("unknown"), Step(".calls")),
    )
    call = Call("Scaled", (2,), {"factor": 2.0}, weights={"weight": torch.tensor([4.0, 0.5])}, steps=steps)
    near = Near(names).ask(call)
    with Visit(zygote, Limits()) as visit:
        list(visit.run([MODULE]))
        (far,) = visit.ask([call])
    for outcome in (near, far):
        assert outcome.value["weight"].tolist() == [1, 1]
        forward, backward, seen, unknown, calls, again = outcome.steps
        assert forward.value.tolist() == [8, -2]
        of_x, of_parameters = backward.gradients
        assert of_x.tolist() == [24, 5] and of_parameters["weight"].tolist() == [6, -20]
        assert seen.value == calls.value == 2
        assert unknown.error[0] == again.error[0] == "AttributeError"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("while True: pass", "time"),
        ("import os; os._exit(0)", "ended"),
        ("import os; os.close(3)", "ended"),
        ("import ctypes; ctypes.string_at(0)", "ended"),
        ("import os; os.write(3, bytes(100))", "garbled"),
    ],
)
def test_how_a_process_stopped_is_told_apart(zygote, source, why):
    with Visit(zygote, Limits(step=2)) as visit, pytest.raises(Stopped) as stopped:
        list(visit.run(["1 + 1", source]))
    assert stopped.value.why == why
