"""The grader's end of a conversation with one student's process."""

import json
import select
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from autograder.exercises import exercises_of
from autograder.exercises.namespace import Call, Outcome
from autograder.sandbox import wire
from autograder.sandbox.bubble import Limits, NoSandbox, Zygote

LONGEST_VISIT = 128 * 2**20
LONGEST_OUTPUT = 10_000
GRACE = 2.0
START = 20.0


class Stopped(Exception):
    """A student's process stopped answering. `why` is time, memory, ended or garbled.

    `answers` is what it had answered until then of what it was asked last.
    """

    def __init__(self, why: str, sentence: str):
        super().__init__(sentence)
        self.why = why
        self.sentence = sentence
        self.answers: list[Outcome] = []


@dataclass(frozen=True)
class Ran:
    """A cell that was run: its first error, and what it printed."""

    cell: int
    error: tuple[str, str] | None
    output: str


@dataclass
class Visit:
    """One student's process, from its start to its end. The walls go up while the `with` is not entered yet.

    Raises NoSandbox where it does not start or a wall that this machine offers does not stand,
    and Stopped where it stops answering.
    """

    zygote: Zygote
    limits: Limits
    walls: dict = field(default_factory=dict)
    ended: dict = field(default_factory=dict)

    def __post_init__(self):
        exercises = exercises_of(self.zygote.topic).values()
        guarded = [name for exercise in exercises for name in exercise.forbidden]
        self.channel, self.status = self.zygote.fork({**asdict(self.limits), "guarded": guarded})

    def __enter__(self) -> "Visit":
        self.heard = bytearray()
        self.budget = LONGEST_VISIT
        self.deadline = time.monotonic() + self.limits.seconds
        try:
            self.walls = self._told("walls", START)
            _hold_against(self.walls, self.zygote.offer.layers)
        except BaseException:
            self.__exit__()
            raise
        self.channel.setblocking(False)
        return self

    def __exit__(self, *error) -> None:
        self.channel.close()
        self.status.close()

    def run(self, cells: list[str]) -> Iterator[Ran]:
        """Run cells in order; yield each when done. One that missed a later cell's name comes twice."""
        if not cells:
            return
        for message in self._answers({"run": tuple(cells)}, len(cells), twice=True):
            match message:
                case {"cell": int(cell), "error": None | (str(), str()) as error, "output": str(output)} if (
                    type(cell) is int and 0 <= cell < len(cells)
                ):
                    error = error and (error[0][:100], error[1][:500])
                    yield Ran(cell, error, output[:LONGEST_OUTPUT])
                case _:
                    raise _garbled()

    def defines(self, names: list[str]) -> set[str]:
        """Which of these names the notebook has defined."""
        for message in self._answers({"defines": list(names)}, 1):
            if isinstance(message, list):
                return {name for name in names if name in message}
        raise _garbled()

    def ask(self, calls: list[Call], together: int = 1) -> list[Outcome]:
        """Put questions in one go and wait for all answers, of which so many may be sent together.

        That is faster, but where the process stops, some of what it had answered is not known.
        """
        outcomes: list[Outcome] = []
        messages = tuple(wire.call_as_message(call) for call in calls)
        try:
            for message in self._answers({"ask": messages, "together": together}, len(calls)):
                outcomes.append(wire.outcome_from_message(message))
        except wire.Garbled:
            stopped = _garbled()
        except Stopped as error:
            stopped = error
        else:
            return outcomes
        stopped.answers = outcomes
        raise stopped

    def _answers(self, message: dict, number: int, twice: bool = False) -> Iterator[Any]:
        """Send a message, and yield this many that come back (with `twice`, more until all is answered)."""
        unsent = memoryview(wire.pack(message))
        missed = 0
        while number:
            answers, unsent = self._next(unsent)
            if not isinstance(answers, tuple) or not 0 < len(answers) <= number:
                raise _garbled()
            for answer in answers:
                number -= 1
                if twice and missed >= 0 and isinstance(answer, dict):
                    error = answer.get("error")
                    missed += isinstance(error, tuple) and error[:1] == ("NameError",)
                    if not number and missed:
                        number, missed = missed, -1
                yield answer

    def _next(self, unsent: memoryview) -> tuple[Any, memoryview]:
        """The next answers; what is left to be sent is sent meanwhile."""
        until = min(time.monotonic() + self.limits.step, self.deadline)
        wanted, head = 8, None
        while True:
            if len(self.heard) >= wanted:
                if head is None:
                    try:
                        head = wire.lengths(self.heard[:8])
                    except wire.Garbled:
                        raise _garbled() from None
                    wanted = 8 + sum(head)
                    continue
                frame = bytes(self.heard[8:wanted])
                del self.heard[:wanted]
                try:
                    return wire.unpack(frame[: head[0]], frame[head[0] :]), unsent
                except wire.Garbled:
                    raise _garbled() from None
            left = until - time.monotonic()
            if left <= 0:
                raise self._out_of_time()
            readable, writable, _ = select.select([self.channel], [self.channel] if unsent else [], [], left)
            try:
                if writable:
                    unsent = unsent[self.channel.send(unsent) :]
                if readable:
                    part = self.channel.recv(2**20)
                    if not part:
                        raise self._how_it_ended()
                    self.heard += part
                    self.budget -= len(part)
                    if self.budget < 0:
                        raise Stopped("garbled", "it sent more than any answer needs")
            except (BrokenPipeError, ConnectionResetError):
                raise self._how_it_ended() from None
            except BlockingIOError:
                pass

    def _out_of_time(self) -> Stopped:
        if time.monotonic() >= self.deadline:
            return Stopped("time", f"the notebook took more than {self.limits.seconds} seconds")
        return Stopped("time", f"it took more than {self.limits.step} seconds")

    def _how_it_ended(self) -> Stopped:
        """Why nothing more comes; NoSandbox where it was not the student's process that ended first."""
        self.ended = self._told("ended", GRACE)
        code = self.ended.get("code")
        if code is None:
            return Stopped("ended", "it hung up")
        if code == -9 and self.zygote.ended_within(GRACE / 4):
            raise NoSandbox("the sandbox has ended")
        if code == -9:
            return Stopped("memory", "Python was killed: it used too much time or memory")
        if code < 0:
            return Stopped("ended", f"Python crashed (signal {-code})")
        return Stopped("ended", "it ended Python itself")

    def _told(self, what: str, seconds: float) -> dict:
        """What our own code says on the status, about the walls or the end; nothing where it is silent."""
        self.status.settimeout(seconds)
        said = b""
        try:
            while b"\n" not in said:
                part = self.status.recv(65536)
                if not part:
                    raise NoSandbox(f"the sandbox has ended ({said[:200].decode(errors='replace')})")
                said += part
            told = json.loads(said.split(b"\n")[0])
            if what not in told:
                raise NoSandbox(f"a student's process was not walled in ({told})")
            return told[what]
        except TimeoutError:
            if what == "walls":
                raise NoSandbox("a student's process did not start in time") from None
            return {}
        except OSError:
            raise NoSandbox("the sandbox has ended") from None


def _hold_against(walls: dict, layers: dict[str, str]) -> None:
    """Every wall that this machine offers must stand, and what it should stop must have failed."""
    needed = {"limits", "privileges"}
    needed |= {"namespaces", "files"} if not layers["bubblewrap"] else set()
    needed |= {name for name in ("landlock", "seccomp") if not layers[name]}
    fallen = needed - set(walls["up"])
    if fallen:
        reasons = "; ".join(f"{name}: {walls['missing'].get(name, 'not put up')}" for name in sorted(fallen))
        raise NoSandbox(f"a wall around students' code does not stand ({reasons})")
    if walls["possible"]:
        raise NoSandbox(f"students' code has a way to {', '.join(walls['possible'])}")


def _garbled() -> Stopped:
    return Stopped("garbled", "it sent something else than answers")
