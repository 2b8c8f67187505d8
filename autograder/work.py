"""Who examines submissions: processes of this machine, or a Dask cluster. Both do the same work.

A worker that dies takes nothing with it: its submission is given to another one, and after some deaths it is
the grader's fault, which a person settles. What is durable is the store, not the workers.
"""

import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from autograder.errors import CourseError
from autograder.examination import Examined, Job, examine, grader_fault
from autograder.sandbox import walls
from autograder.sandbox.bubble import NoSandbox, end_zygote, zygote_of

TRIES = 3


class Lost(Exception):
    """A submission took the worker down each time it was tried."""


def work(job: Job) -> Examined:
    """Examine one submission in this process, with a zygote that is kept for the next one."""
    reason = ""
    for _ in range(TRIES):
        try:
            return examine(job, zygote_of(job.topic))
        except NoSandbox as error:
            reason = str(error)
            end_zygote(job.topic)
        except Exception as error:  # a mistake of ours must not cost anybody a grade, or stop the others
            return grader_fault(f"the grader stopped with {type(error).__name__}: {error}")
    return grader_fault(reason)


class Workers:
    """Processes forked from this one: cheap to start, with all libraries and the zygote at hand."""

    def __init__(self, number: int):
        self.number = number
        self.pool = self._forked(number)

    def each(self, function: Callable, arguments: Iterable[tuple[str, tuple]]) -> Iterator[tuple[str, Any]]:
        """Call a function with each of many arguments, each with a name; yield results as they come.

        The result of what took a worker down each time is a `Lost`.
        """
        queue = iter(arguments)
        deaths: Counter[str] = Counter()
        again: list[tuple[str, tuple]] = []
        running: dict[Future, tuple[str, tuple]] = {}
        while True:
            alone = any(deaths[name] >= TRIES for name, _ in [*again, *running.values()])
            while len(running) < (1 if alone else 2 * self.number):
                one = again.pop() if again else next(queue, None)
                if one is None:
                    break
                running[self.pool.submit(function, *one[1])] = one
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            lost = []
            for future in done:
                one = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    lost.append(one)
                else:
                    yield one[0], future.result()
            if lost:
                lost += running.values()
                running.clear()
                self.pool.shutdown(wait=True, cancel_futures=True)
                self.pool = self._forked(self.number)
                deaths.update(name for name, _ in lost)
                for one in lost:
                    if deaths[one[0]] > 2 * TRIES:
                        yield one[0], Lost()
                    else:
                        again.append(one)

    def _forked(self, number: int) -> ProcessPoolExecutor:
        pool = ProcessPoolExecutor(number, get_context("fork"), _begin)
        pool.submit(int).result()  # now, before this process has threads
        return pool

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """What a worker does first: it ends with its parent, and Control-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    walls.die_with_parent()


def on_cluster(jobs: Iterable[tuple[str, Job]], address: str) -> Iterator[tuple[str, Examined]]:
    """Examine jobs, each with a name, on an existing Dask cluster whose workers have this course installed.

    Raises CourseError where Dask is not installed or nobody answers at the address.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise CourseError("--scheduler needs Dask: pip install 'decoder-from-scratch[cluster]'") from None
    try:
        client = Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise CourseError(f"no Dask scheduler answers at {address} ({type(error).__name__})") from None
    with client:
        names = {client.submit(work_apart, job, pure=False, retries=TRIES): name for name, job in jobs}
        for future in as_completed(names, loop=client.loop):
            try:
                yield names[future], Examined.from_dict(future.result())
            except Exception as error:
                yield names[future], grader_fault(f"the cluster lost it ({type(error).__name__}: {error})")


def work_apart(job: Job) -> dict:
    """Examine one submission on another machine; the result as plain values."""
    return work(job).as_dict()
