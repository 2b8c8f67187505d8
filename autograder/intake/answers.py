"""Which cells answer the exercises of a topic, which of the others those need, and what is odd about them."""

import ast
import functools
import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from nbformat import NotebookNode

from autograder.chapters import chapter_paths
from autograder.exercises import exercises_of
from autograder.intake.notebook import Notebook
from autograder.intake.python import CELL_MAGIC, RUN_BY_MAGIC, Code, Reader
from autograder.intake.repair import FENCED_CODE, mended
from autograder.intake.submission import Cell, Submission, Unreadable, shown

MOST_SENTENCES = 20
NOT_NEEDED = (
    "ctypes", "cffi", "gc", "_getframe", "f_back", "f_globals", "__globals__", "__subclasses__",
    "__builtins__", "builtins", "autograder", "subprocess", "multiprocessing", "socket", "_C", "ops",
    "jit", "CompilationUnit", "settrace", "_exit", "ptrace", "mmap", "threading", "_thread",
    "concurrent", "__code__", "tb_frame", "inspect", "importlib", "__import__", "_python_dispatch",
    "_disable_current_modes", "DisableTorchFunction", "meta", "is_meta", "FakeTensor", "fake_tensor",
    "DisableTorchFunctionSubclass", "_DisableTorchDispatch", "__wrapped__", "__closure__", "cell_contents",
    "asyncio", "no_dispatch", r"explorers\.\w+",
)  # fmt: skip
STRANGE = re.compile(rf"(?<!\w)(?:{'|'.join(NOT_NEEDED)})(?!\w)|/proc\b")
SPACE = re.compile(r"#[^\n]*|\s+")


@dataclass(frozen=True)
class Release:
    """What a released notebook holds: by exercise the stub and the tests, and all of its sources, bare."""

    topic: str
    names: tuple[str, ...]
    stubs: dict[str, str]
    tests: dict[str, str]
    bare_stubs: dict[str, str]
    bare_tests: frozenset[str]
    bare_code: frozenset[str]
    prose: frozenset[str]
    codes: dict[str, Code]

    def is_tests(self, cell: Cell) -> bool:
        """Whether a cell is a copy of released tests, changed or not."""
        graded = any(f"{self.topic}-{name}-tests" in (cell.grade_id, cell.cell_id) for name in self.names)
        return cell.kind == "code" and (
            graded or "tests" in cell.tags or bare(cell.source) in self.bare_tests
        )

    @property
    def marks(self) -> frozenset[str]:
        """The names and the grade ids by which a cell that matters can be told."""
        return frozenset([*self.names, *(f"{self.topic}-{name}" for name in self.names)])


def release_of(topic: str, released: NotebookNode) -> Release:
    """What there is to know of a released notebook, worked out once for each."""
    cells = tuple(
        (cell.cell_type, cell.source, cell.metadata.get("nbgrader", {}).get("grade_id", ""))
        for cell in released.cells
    )
    return _release(topic, cells)


@functools.lru_cache(maxsize=64)
def _release(topic: str, cells: tuple[tuple[str, str, str], ...]) -> Release:
    names = tuple(exercises_of(topic))
    by_id = {grade_id: source for _, source, grade_id in cells if grade_id}
    stubs = {name: by_id[f"{topic}-{name}"] for name in names if f"{topic}-{name}" in by_id}
    tests = {name: by_id[f"{topic}-{name}-tests"] for name in names if f"{topic}-{name}-tests" in by_id}
    code = [source for kind, source, _ in cells if kind == "code"]
    reader = Reader(10**9)
    return Release(
        topic,
        names,
        stubs,
        tests,
        {bare(source): name for name, source in stubs.items()},
        frozenset(bare(source) for grade_id, source in by_id.items() if grade_id.endswith("-tests")),
        frozenset(map(bare, code)),
        frozenset(source.strip() for kind, source, _ in cells if kind != "code"),
        {source: reader.code(source) for source in code},
    )


def bare(source: str) -> str:
    """A source without comments and without any space, to be compared."""
    return SPACE.sub("", source)


def submission_of(notebook: Notebook, release: Release, reader: Reader, name: str = "") -> Submission:
    """The submission that a notebook is; Unreadable where it belongs to another chapter."""
    cells, repairs = _mended_cells(notebook.cells, release, reader)
    repairs = [*notebook.repairs, *repairs]
    search = _Search(cells, release, reader)
    if not search.answered and (other := _other_chapter(search, release)):
        raise Unreadable(other)
    if lost := search.lost_imports():
        repairs.append("Imports of the released notebook were missing; they were added.")
        search = _Search([*(Cell("code", source) for source in lost), *search.cells], release, reader)
    cells, answers = search.cells, search.answers()
    run = search.run(answers)
    if not search.found and not run:
        raise Unreadable("nothing in it is of this chapter's exercises")
    missing = [name for name in release.names if name not in answers]
    if notebook.damaged and missing:
        notebook.flags.append(
            f"The file was damaged, and in what is left nothing answers {', '.join(missing)}."
        )
    flags = [*notebook.flags, *_flags([i for i in run if search.own(i)], cells, release, reader)]
    return Submission(
        release.topic,
        shown(name),
        tuple(cells),
        answers,
        run,
        _each_once([*repairs, *search.repairs]),
        _each_once(flags),
    )


def answered(submission: Submission, release: Release) -> dict[str, str]:
    """The definitions that answer exercises, bare, by name; a stub is no answer."""
    found = {}
    for name, index in submission.answers.items():
        source = submission.cells[index].source
        if bare(source) not in release.bare_stubs:
            found[name] = bare(Reader().definition(source, name) or source)
    return found


def _mended_cells(cells: Iterable[Cell], release: Release, reader: Reader) -> tuple[list[Cell], list[str]]:
    """The cells, with those of code mended where they are no Python."""
    after, wrong = [], []
    for cell in cells:
        if cell.kind == "code" and cell.source not in release.codes and cell.source.strip():
            source, why = mended(_without_magic(cell.source, release, reader), reader)
            wrong += why
            cell = replace(cell, source=source)
        after.append(cell)
    return after, [f"Taken out of code that was no Python: {words}." for words in dict.fromkeys(wrong)]


def _without_magic(source: str, release: Release, reader: Reader) -> str:
    """A cell that writes an answer to a file, or does not run it, as the answer itself."""
    magic = CELL_MAGIC.match(source)
    if not magic or magic[1] in RUN_BY_MAGIC:
        return source
    inside = source[magic.end() :]
    answers = any(reader.surely_binds(inside, name) for name in release.names)
    return inside if answers else source


class _Search:
    """Finds the answers among a notebook's cells, and what they need."""

    def __init__(self, cells: list[Cell], release: Release, reader: Reader):
        self.release = release
        self.reader = reader
        self.repairs: list[str] = []
        self.cells = list(cells)
        self.roles = [self._role(index) for index in range(len(cells))]
        self.codes = [
            self._code(cell.source) if role in ("own", "stub", "released") else Code()
            for cell, role in zip(self.cells, self.roles, strict=True)
        ]
        self._take_retyped_cells()
        self.definers = {name: self._definers(name) for name in release.names}
        self._leave_out_blank_cells()

    @property
    def answered(self) -> bool:
        """Whether a cell is one of the topic's own, or defines what it asks for."""
        ids = {f"{self.release.topic}-{name}{end}" for name in self.release.names for end in ("", "-tests")}
        known = any(cell.grade_id in ids or cell.cell_id in ids for cell in self.cells)
        defined = any(name in code.binds - code.imports for code in self.codes for name in self.release.names)
        copied = any(
            role == "stub" or (role == "tests" and bare(cell.source) in self.release.bare_tests)
            for role, cell in zip(self.roles, self.cells, strict=True)
        )
        return known or defined or copied

    @property
    def found(self) -> bool:
        """Whether anything in the notebook belongs to the topic."""
        return self.answered or any(name in cell.source for cell in self.cells for name in self.release.names)

    def own(self, index: int) -> bool:
        """Whether a cell is the student's own work."""
        return self.roles[index] == "own"

    def _code(self, source: str) -> Code:
        known = self.release.codes.get(source)
        return known if known is not None else self.reader.code(source)

    def _role(self, index: int) -> str:
        """What a cell is: prose, empty, tests, a stub as released, else released, or the student's own."""
        cell, release = self.cells[index], self.release
        if cell.kind != "code":
            return "prose"
        if not cell.source.strip():
            return "empty"
        source = bare(cell.source)
        if source in release.bare_stubs:
            return "stub"
        if release.is_tests(cell):
            inside = [name for name in release.names if name in self._code(cell.source).binds]
            if not inside:
                return "tests"
            self.repairs.append(f"{inside[0]} was written into the cell of its tests.")
            self.cells[index] = replace(cell, grade_id="", cell_id="", tags=())
            return "own"
        return "released" if source in release.bare_code else "own"

    def _named(self, identity: str) -> str:
        """The exercise whose grade id this is."""
        return next((n for n in self.release.names if identity == f"{self.release.topic}-{n}"), "")

    def _definers(self, name: str) -> list[int]:
        """The student's own cells that define an exercise, those that are sure to if there are any."""
        binding = [i for i, code in enumerate(self.codes) if self.own(i) and name in code.binds]
        if len(binding) > 1:
            sure = [i for i in binding if self.reader.surely_binds(self.cells[i].source, name)]
            written = [i for i in sure if not self.reader.is_blank(self.cells[i].source, name)]
            return written or sure or binding
        return binding

    def _leave_out_blank_cells(self) -> None:
        """Do not run a cell that only says of exercises answered elsewhere that they are not written."""
        definers = {index for indices in self.definers.values() for index in indices}
        for index, (cell, code) in enumerate(zip(self.cells, self.codes, strict=True)):
            others = self.own(index) and index not in definers and code.binds <= set(self.definers)
            if others and code.binds and all(self.reader.is_blank(cell.source, name) for name in code.binds):
                self.roles[index] = "blank"

    def _take_retyped_cells(self) -> None:
        """Take prose cells that hold the code of an exercise for code, where no other cell has it."""
        defined = {name for i, code in enumerate(self.codes) if self.own(i) for name in code.binds}
        missing = set(self.release.names) - defined
        for index, cell in enumerate(self.cells):
            if not missing or cell.kind == "code" or cell.source.strip() in self.release.prose:
                continue
            if not any(name in cell.source for name in missing):
                continue
            for source in (cell.source, "\n".join(FENCED_CODE.findall(cell.source))):
                source, _ = mended(source, self.reader)
                inside = {name for name in missing if self.reader.surely_binds(source, name)}
                if inside and bare(source) not in self.release.bare_stubs:
                    self.cells[index] = replace(cell, kind="code", source=source)
                    self.roles[index] = "own"
                    self.codes[index] = self._code(source)
                    self.repairs.append(f"The cell of {min(inside)} was no code cell.")
                    missing -= inside
                    break

    def answers(self) -> dict[str, int]:
        """The cell that answers each exercise, in the exercises' order; an exercise nobody wrote has none."""
        found = {}
        for name in self.release.names:
            index = self._answer(name)
            if index is not None:
                found[name] = index
        return found

    def _answer(self, name: str) -> int | None:
        if definers := self.definers[name]:
            if len(definers) > 1:
                many = {2: "Two", 3: "Three"}.get(len(definers), "Many")
                self.repairs.append(f"{many} cells define {name}: the last one counts.")
            return definers[-1]
        taken = {i for cells in self.definers.values() for i in cells}
        for identity in ("grade_id", "cell_id"):
            same = [i for i, cell in enumerate(self.cells) if self._named(getattr(cell, identity)) == name]
            same = [i for i in same if self.own(i) and i not in taken]
            if same:
                return same[-1]
        stubs = [
            i
            for i, role in enumerate(self.roles)
            if role == "stub" and self.release.bare_stubs[bare(self.cells[i].source)] == name
        ]
        return stubs[-1] if stubs else None

    def run(self, answers: dict[str, int]) -> tuple[int, ...]:
        """The cells to be run, in order: the answers, and all that they need of the notebook."""
        own = {index for index in range(len(self.cells)) if self.own(index)}
        touching = self._touching(own)
        unseen = [name for name in self.release.names if not self.definers[name]]
        everything = any(self._might_define(index, unseen) for index in own)
        fresh = {*answers.values(), *(i for i in own if everything or self.codes[i].star)}
        needed, guessed, chosen = set(self.release.names), set(), set()
        while True:
            fresh |= {index for name in needed for index in touching.get(name, ())}
            for name in guessed - needed:
                fresh |= {i for i in touching.get(name, ()) if i in own or name in self.codes[i].imports}
            if any(self.codes[index].dynamic for index in fresh & own):
                fresh |= own
            if fresh <= chosen:
                return tuple(sorted(chosen))
            chosen |= fresh
            needed = {name for index in fresh for name in self.codes[index].uses}
            guessed = {name for index in fresh for name in self.codes[index].words}
            fresh = set()

    def lost_imports(self) -> list[str]:
        """The released cells whose imports the answers use and nothing in the notebook brings any more."""
        run = self.run(self.answers())
        used = {name for index in run for name in self.codes[index].uses | self.codes[index].words}
        lost = used - {name for code in self.codes for name in code.binds}
        return [source for source, code in self.release.codes.items() if code.imports & lost]

    def _touching(self, own: set[int]) -> dict[str, list[int]]:
        """The cells that bind or change a name; released ones only where no cell of the student's does."""
        provided = {name for index in own for name in self.codes[index].binds}
        imported = {name for code in self.codes for name in code.imports}
        touching: dict[str, list[int]] = {}
        for index, (code, role) in enumerate(zip(self.codes, self.roles, strict=True)):
            if role == "own":
                names = code.binds | code.alters | (code.calls - imported)
            else:
                names = code.binds - provided if role == "released" else ()
            for name in names:
                touching.setdefault(name, []).append(index)
        return touching

    def _might_define(self, index: int, names: list[str]) -> bool:
        """Whether a cell might define one of these names in a way that cannot be seen."""
        source = self.cells[index].source
        return bool(names) and (self.codes[index].dynamic or any(name in source for name in names))


def _other_chapter(search: _Search, release: Release) -> str:
    """Why a notebook with nothing of the topic in it is another one's; nothing where that cannot be told."""
    binds = {name for code in search.codes for name in code.binds - code.imports}
    ids = {cell.grade_id or cell.cell_id for cell in search.cells}
    for topic in (path.stem[3:] for path in chapter_paths()):
        if topic == release.topic:
            continue
        try:
            names = set(exercises_of(topic))
        except ImportError:
            continue
        if names & binds or {f"{topic}-{name}" for name in names} & ids:
            return f"it is the notebook of another chapter, {topic}"
    others = sorted({cell.grade_id for cell in search.cells if cell.grade_id})
    if others:
        return f"it is another notebook: its exercises are {', '.join(map(shown, others[:3]))}"
    return ""


def _flags(run: list[int], cells: list[Cell], release: Release, reader: Reader) -> list[str]:
    """What a person should look at in the student's own cells that are run."""
    flags = []
    for index in run:
        said = "\n".join(reader.mentions(cells[index].source))
        flags += [f"It mentions {'torch._C' if w == '_C' else w}." for w in STRANGE.findall(said)]
        for name in _forbidden(release.topic, reader.code(cells[index].source).binds):
            words = re.findall(rf"(?<!\w)_*{re.escape(name)}\w*", said)
            flags += [f"It mentions {word}, which an exercise must do without." for word in words]
    return flags


def _forbidden(topic: str, binds: Iterable[str]) -> list[str]:
    """How names begin that a cell must do without: what no solution uses, and what its exercises forbid."""
    exercises, used = exercises_of(topic), _used_by_solutions(topic)
    names = {name for exercise in exercises.values() for name in exercise.forbidden}
    unused = {name for name in names if not any(word.startswith(name) for word in used)}
    answered = [exercise for name, exercise in exercises.items() if name in binds]
    return sorted(unused.union(*(exercise.forbidden for exercise in answered)))


@functools.cache
def _used_by_solutions(topic: str) -> set[str]:
    """The names of attributes and variables in the reference implementation of a topic."""
    exercise = next(iter(exercises_of(topic).values()))
    nodes = ast.walk(ast.parse(inspect.getsource(exercise.solutions)))
    return {getattr(node, "attr", None) or getattr(node, "id", "") for node in nodes}


def _each_once(sentences: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(shown(sentence, 200) for sentence in sentences))[:MOST_SENTENCES]
