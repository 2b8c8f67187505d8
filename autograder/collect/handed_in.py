"""What somebody handed in, before it is read, and what became of it."""

from dataclasses import dataclass, field

from autograder.intake.submission import shown

STAMP = "timestamp.txt"  # where nbgrader writes when something was handed in

Place = tuple[str, ...]  # the folders, and the file or folder in them


@dataclass(frozen=True)
class Collected:
    """What became of something handed in.

    `what` is "new", "newer", "same", "older" (than what is there, which stays) or "not understood"; `name` is
    what the source calls it. `reason` says why, or why a person should look.
    """

    student: str
    what: str
    name: str
    reason: str = ""


@dataclass
class HandedIn:
    """What one student handed in.

    `who` is what the source calls them, `plain` the name that they get unless somebody else has it, and
    `full` the name that they get then, if the source knows one. `lms` is a number to be told to nbgrader.
    `places` are where the files lie, each with the name to be kept under if that is not the file's own.
    `stamp` is the place of a timestamp, `timed` whether the time is that of handing in.
    """

    who: str
    plain: str
    full: str = ""
    lms: str = ""
    places: dict[Place, str] = field(default_factory=dict)
    stamp: Place | None = None
    time: float = 0
    timed: bool = True
    remark: str = ""

    @property
    def name(self) -> str:
        """What the source calls the first of the files."""
        return "/".join(next(iter(self.places), (self.who,)))


def odd(name: str, reason: str) -> Collected:
    """Something that is not understood, and nobody's."""
    return Collected("", "not understood", shown(name), reason)
