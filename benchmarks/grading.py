"""Grading a class: stock `nbgrader autograde` against ours, on the same notebooks, in one run.

    python benchmarks/grading.py                       # a class of 60; stock nbgrader takes some minutes
    python benchmarks/grading.py --students 24 --stock 8
    python benchmarks/grading.py --sizes 60 250 1000   # what each costs as the class grows (ours)

Both begin with a fresh gradebook and end with the same points in it, which is checked first; both are timed
from the command to its end, starting included. The class is the sample class, repeated under other names.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import psutil

from autograder.course import Course
from autograder.grading import record_of
from autograder.sample_class import write_sample_class
from companion import figures

TOPIC = "masks"
HERE = Path(__file__).parent


def course_of(students: int, folder: Path) -> Course:
    """A course in which this many students have handed in, and nobody is graded."""
    course = Course.made(folder / f"class-of-{students}")
    course.release(TOPIC)
    names = write_sample_class(course, TOPIC)
    for number in range(len(names), students):
        original = names[number % len(names)]
        copy = course.path / "submitted" / f"{original}-{number // len(names)}"
        shutil.copytree(course.path / "submitted" / original, copy)
    for name in names[students:]:
        shutil.rmtree(course.path / "submitted" / name)
    return course


def timed(command: list[str], course: Course) -> tuple[float, float]:
    """The seconds a command takes, and the most memory that a student's process added, in MiB."""
    begun, most = time.monotonic(), 0.0
    with tempfile.TemporaryFile() as said:  # a pipe that nobody reads is soon full, and stops who writes
        running = subprocess.Popen(command, cwd=course.path, stdout=subprocess.DEVNULL, stderr=said)
        while running.poll() is None:
            most = max(most, private_memory(running.pid))
            time.sleep(0.02)
        if running.returncode:
            said.seek(0)
            sys.exit(said.read().decode())
    return time.monotonic() - begun, most


def private_memory(grader: int) -> float:
    """What the largest student's process holds beyond what it shares with its zygote, in MiB."""
    largest = 0.0
    try:
        processes = psutil.Process(grader).children(recursive=True)
        inside = [p for p in processes if "autograder.sandbox.zygote" in " ".join(p.cmdline())]
    except psutil.Error:
        return 0.0
    for process in inside[3:]:  # two of bubblewrap's own and the zygote come first
        try:
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        except OSError:
            continue
        sizes = dict(line.split()[:2] for line in text.splitlines()[1:])
        largest = max(largest, (int(sizes["Private_Dirty:"]) + int(sizes["Private_Clean:"])) / 1024)
    return largest


def ours(course: Course) -> tuple[float, float]:
    return timed([sys.executable, "-m", "autograder", "grade", TOPIC, "--course", str(course.path)], course)


def stock(course: Course) -> float:
    """`nbgrader autograde` with none of our steps, as anybody would run it."""
    with course.config_file.open("a") as config:
        config.write(
            "c.Autograde.pop('sanitize_preprocessors')\nc.Autograde.pop('autograde_preprocessors')\n"
        )
    return timed([sys.executable, "-m", "nbgrader", "autograde", TOPIC], course)[0]


def compare(students: int, of_stock: int, folder: Path) -> dict:
    """Grade the same class both ways and print what it took."""
    mine = course_of(students, folder / "ours")
    theirs = course_of(of_stock, folder / "stock")
    seconds, memory = ours(mine)
    per_submission = seconds / students
    print(f"ours:  {students} submissions in {seconds:.1f} s, {1000 * per_submission:.0f} ms each")
    stock_seconds = stock(theirs) / of_stock
    print(f"stock: {of_stock} submissions in {stock_seconds * of_stock:.1f} s, {stock_seconds:.2f} s each")
    checked = [record_of(mine, TOPIC, student).seconds for student in mine.students(TOPIC)]
    right_ones = [name for name in theirs.students(TOPIC) if name.startswith(("aiko", "bruno", "chidi"))]
    agree = all(full(mine, name) and full(theirs, name) for name in right_ones)
    found = {
        "students": students,
        "stock students": of_stock,
        "ours, seconds": round(seconds, 2),
        "stock, seconds each": round(stock_seconds, 3),
        "ratio": round(stock_seconds / per_submission, 1),
        "sandbox and checks, median ms": round(1000 * statistics.median(checked), 1),
        "memory of a submission, MiB": round(memory, 1),
        "right answers agree": agree,
    }
    print(f"ratio {found['ratio']}; sandbox and checks {found['sandbox and checks, median ms']} ms (median)")
    print(
        f"a submission's own memory {found['memory of a submission, MiB']} MiB; right answers agree: {agree}"
    )
    return found


def full(course: Course, student: str) -> bool:
    """Whether the gradebook has full points for a student."""
    with course.gradebook() as gradebook:
        submission = gradebook.find_submission(TOPIC, student)
        return submission.score == submission.max_score


def grow(sizes: list[int], folder: Path) -> dict[int, float]:
    """What a submission costs in classes of several sizes, beyond starting: milliseconds."""
    taken = {size: ours(course_of(size, folder / str(size)))[0] for size in sizes}
    start = ours(course_of(1, folder / "one"))[0]
    each = {size: 1000 * (seconds - start) / size for size, seconds in taken.items()}
    for size, milliseconds in each.items():
        print(f"a class of {size}: {taken[size]:.1f} s, {milliseconds:.0f} ms for each beyond the start")
    return each


def draw(found: dict, each: dict[int, float]) -> None:
    """The picture of it, beside this file."""
    figures.use_style()
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
    mine = found["ours, seconds"] / found["students"]
    left.barh(["stock nbgrader", "this course"], [found["stock, seconds each"], mine])
    left.invert_yaxis()
    left.set(xlabel="seconds a submission", title=f"{found['ratio']:.0f} times as fast")
    right.plot(list(each), list(each.values()), marker="o")
    right.set(xlabel="submissions", ylabel="ms each", ylim=(0, None), title="as the class grows")
    figure.savefig(HERE / "grading.png", dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--students", type=int, default=60, help="how many submissions ours grades")
    parser.add_argument("--stock", type=int, help="how many of them stock nbgrader grades (default: all)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[], help="also classes of these sizes")
    told = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        found = compare(told.students, told.stock or told.students, Path(folder))
        each = grow(told.sizes, Path(folder)) if told.sizes else {}
    found |= {"ms each, by class size": {str(size): round(ms, 1) for size, ms in each.items()}}
    found |= {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()}
    (HERE / "grading.json").write_text(json.dumps(found, indent=1) + "\n")
    if each:
        draw(found, each)


if __name__ == "__main__":
    main()
