"""Other databases and other machines: PostgreSQL by nbgrader's own `db_url`, work sent to a Dask cluster."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from distributed import Client

from autograder.course import Course
from autograder.errors import CourseError
from autograder.gradebook import back_up
from autograder.grading import grade, record_of
from autograder.results import results
from autograder.sample_class import write_sample_class

TOPIC = "masks"
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def of_students(folder: Path, number: int, config: str = "") -> Course:
    """A course in which some of the sample class have handed in."""
    course = Course.made(folder)
    with course.config_file.open("a") as file:
        file.write(config)
    course.release(TOPIC)
    for student in write_sample_class(course, TOPIC)[number:]:
        shutil.rmtree(course.path / "submitted" / student)
    return course


def points(course: Course) -> dict[str, dict]:
    return {result.student: result.points for result in results(course, TOPIC)}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Course:
    """A few students, graded here, into SQLite."""
    course = of_students(tmp_path_factory.mktemp("near") / "course", 8)
    dict(grade(course, TOPIC, course.students(TOPIC)))
    return course


@pytest.fixture
def postgres(tmp_path) -> str:
    """The address of a PostgreSQL server of this test's own."""
    if not POSTGRES:
        pytest.skip("PostgreSQL is not on this machine: apt-get install postgresql")
    data, port = tmp_path / "data", free_port()
    as_owner = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        tmp_path.chmod(0o755)
        for above in [tmp_path, *tmp_path.parents][:4]:
            above.chmod(above.stat().st_mode | 0o011)
        data.mkdir()
        shutil.chown(data, "postgres")
        as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    programs = POSTGRES[-1]
    run = [*as_owner, str(programs / "initdb"), "-D", str(data), "-U", "grader", "-A", "trust", "-N"]
    subprocess.run(run, check=True, capture_output=True)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    control = [*as_owner, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    log = data / "log" if as_owner else tmp_path / "log"
    subprocess.run([*control, "-o", options, "-l", str(log), "start"], check=True, capture_output=True)
    address = f"grader@127.0.0.1:{port}"
    with psycopg.connect(f"postgresql://{address}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE course")
    yield f"{address}/course"
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)


def test_postgresql_holds_the_same_grades(postgres, graded, tmp_path):
    course = of_students(
        tmp_path / "course", 8, f'c.CourseDirectory.db_url = "postgresql+psycopg://{postgres}"\n'
    )
    shutil.copy(graded.path / "course_key", course.path / "course_key")
    dict(grade(course, TOPIC, course.students(TOPIC)))
    assert points(course) == points(graded)
    with psycopg.connect(f"postgresql://{postgres}") as connection:
        (number,) = connection.execute("SELECT count(*) FROM submitted_assignment").fetchone()
    assert number == 8
    assert not (course.path / "gradebook.db").exists()
    with course.gradebook() as gradebook:
        copy = back_up(gradebook, course.path / "backups")
    assert copy.suffix == ".jsonl" and copy.read_text().count('"table": "submitted_assignment"') == 8


@pytest.fixture
def cluster():
    """A Dask scheduler and two workers of one process each."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
    started = [psutil.Popen([*dask, "--port", str(port), "--dashboard-address", ":0"], **quiet)]
    worker = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        address,
        "--nthreads",
        "1",
        "--no-dashboard",
    ]
    started += [psutil.Popen([*worker, "--no-nanny"], **quiet) for _ in range(2)]
    with Client(address, timeout="60s", set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield address, started[1:]
    for process in started:
        for one in [*children(process), process]:
            one.kill() if one.is_running() else None
    psutil.wait_procs(started, timeout=10)


def children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def test_a_cluster_grades_the_same_though_a_worker_dies(cluster, graded, tmp_path):
    address, (victim, survivor) = cluster
    course = Course(shutil.copytree(graded.path, tmp_path / "course"))
    for left_over in ("records", "store", "autograded", "intake"):
        shutil.rmtree(course.path / left_over)
    before = points(graded)
    killed = False
    for number, _ in enumerate(grade(course, TOPIC, course.students(TOPIC), scheduler=address)):
        if number == 1:
            victim.kill()
            killed = True
    assert killed and survivor.is_running() and not alive(victim)
    assert points(course) == before
    assert {record_of(course, TOPIC, student).state for student in before} == {"graded"}


def alive(process: psutil.Process) -> bool:
    deadline = time.monotonic() + 5
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_no_cluster_at_the_address(graded):
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(CourseError, match=f"no Dask scheduler answers at {address}"):
        dict(grade(graded, TOPIC, graded.students(TOPIC), scheduler=address, anew=True))
