"""What a cell's source binds and uses, found without running it.

Strangers wrote it: `Reader` parses no more than it can afford, and judges the rest by its words.
"""

import ast
import re
import symtable
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 50_000
LONGEST_IN_ALL = 200_000
MOST_PIECES = 500

DYNAMIC = {"exec", "eval", "globals", "setattr", "__import__", "get_ipython"}
MARGIN = re.compile(r"^(?=[^\s#)\]}])", re.MULTILINE)
CONTINUES = re.compile(r"(?:else\b|elif\b|except\b|finally\b|[)\]}])")
ADORNED = re.compile(r"(?:async\s+def|def|class)\b")
WORD = re.compile(r"[^\W\d]\w*")
BOUND_BY_WORDS = re.compile(
    r"^[ \t]*(?:(?:async[ \t]+def|def|class)[ \t]+(\w+)|(\w+)[ \t]*(?::[^=\n]*)?=(?!=)"
    r"|(?:from[ \t]+\S+[ \t]+)?import[ \t]+(.+))",
    re.MULTILINE,
)
CELL_MAGIC = re.compile(r"\s*%%(\w+)[^\n]*\n?")
RUN_BY_MAGIC = ("time", "timeit", "capture", "prun")
LINE_MAGIC = re.compile(
    r"^([ \t]*)(?:[%!?]|\w+[ \t]*=[ \t]*[%!]).*$|^([ \t]*)[\w.]+\?{1,2}[ \t]*$", re.MULTILINE
)
PROMPT = re.compile(r"^[ \t]*(?:>>>|\.\.\.|In ?\[\d{0,6}\]:|\.{4,}:)(?: |$)", re.MULTILINE)

FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
BINDS_SURELY = ast.Assign | ast.AnnAssign | FUNCTIONS | ast.ClassDef | ast.Import | ast.ImportFrom | ast.With


@dataclass(frozen=True)
class Code:
    """What a cell does to the notebook's names.

    `binds` are bound, `imports` those of them that are imported, `alters` changed by storing an attribute
    or an item, `calls` only have a method called, `uses` are taken from elsewhere, `words` may be, in what
    is no Python. `star` stands for an import of all names, `dynamic` for code that may bind names unseen.
    """

    binds: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    alters: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    star: bool = False
    dynamic: bool = False

    def __or__(self, other: "Code") -> "Code":
        return Code(*(getattr(self, name) | getattr(other, name) for name in self.__dataclass_fields__))


class Reader:
    """Reads the sources of one submission, parsing as many characters as it can afford, each source once."""

    def __init__(self, characters: int = LONGEST_IN_ALL):
        self.characters = characters
        self.trees: dict[str, tuple[ast.Module, str] | None] = {}
        self.codes: dict[str, Code] = {}

    def parsed(self, source: str) -> tuple[ast.Module, str] | None:
        """A source's syntax tree and the plain Python it is of; None where there is none to be had."""
        if source not in self.trees:
            self.trees[source] = self._tree(source)
            if self.trees[source] is None and self.affords(source):
                plain = plain_python(source)
                self.trees[source] = self._tree(plain) if plain != source else None
        return self.trees[source]

    def affords(self, source: str) -> bool:
        """Whether a source may still be parsed; if not, it is judged by its words."""
        return len(source) <= min(LONGEST, self.characters)

    def _tree(self, source: str) -> tuple[ast.Module, str] | None:
        if not self.affords(source):
            return None
        self.characters -= len(source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return ast.parse(source), source
            except (SyntaxError, ValueError, MemoryError, RecursionError):
                return None

    def code(self, source: str) -> Code:
        """What a source does; what is no Python is taken piece by piece, and a piece by its words."""
        if source not in self.codes:
            self.codes[source] = self._code(source)
        return self.codes[source]

    def _code(self, source: str) -> Code:
        if whole := self.parsed(source):
            return _code_of(*whole)
        code = Code()
        pieces = list(pieces_of(source)) if self.affords(source) else []
        for piece in pieces if 1 < len(pieces) <= MOST_PIECES else [source]:
            tree = self.parsed(piece)
            self.codes[piece] = _code_of(*tree) if tree else _code_by_words(piece)
            code |= self.codes[piece]
        return code

    def surely_binds(self, source: str, name: str) -> bool:
        """Whether a source binds a name in a piece of it that is Python."""
        pieces = [source] if self.parsed(source) or not self.affords(source) else pieces_of(source)
        return any(name in self.code(piece).binds for piece in pieces if name in piece and self.parsed(piece))

    def definition(self, source: str, name: str) -> str:
        """The part of a source that binds a name, without the rest; nothing where it cannot be told apart."""
        if whole := self.parsed(source):
            tree, plain = whole
            lines = re.split(r"(?<=\n)", plain)  # as Python counts them
            parts = [_lines_of(s, lines) for s in tree.body if name in _bound_in(s)]
            return "\n".join(part.rstrip() for part in parts)
        parts = [piece for piece in pieces_of(source) if name in _code_by_words(piece).binds]
        return "\n".join(part.rstrip() for part in parts)

    def mentions(self, source: str) -> Iterator[str]:
        """The names, attributes and strings of a source without docstrings; all of it if it is no Python.

        A string that is put together of two is said as well.
        """
        whole = self.parsed(source)
        if not whole:
            yield source
            return
        nodes = list(ast.walk(whole[0]))
        said_to_nobody = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and id(node) in said_to_nobody:
                continue
            if isinstance(node, ast.BinOp):
                halves = [getattr(half, "value", None) for half in (node.left, node.right)]
                yield "".join(halves) if all(isinstance(half, str) for half in halves) else ""
            for _, value in ast.iter_fields(node):
                for text in value if isinstance(value, list) else [value]:
                    if isinstance(text, str | bytes):
                        yield text if isinstance(text, str) else text.decode("latin-1")

    def is_blank(self, source: str, name: str) -> bool:
        """Whether all that a source says of a name is that it is not written yet."""
        whole = self.parsed(source)
        kinds = FUNCTIONS | ast.ClassDef
        said = [s for s in whole[0].body if isinstance(s, kinds) and s.name == name] if whole else []
        return bool(said) and _is_blank(said[-1])


def pieces_of(source: str) -> Iterator[str]:
    """A source cut where a line begins at the margin; decorators and later branches stay with theirs."""
    piece: list[str] = []
    adorning = False
    for part in MARGIN.split(source):
        if piece and not adorning and not CONTINUES.match(part):
            yield "".join(piece)
            piece = []
        piece.append(part)
        adorning = part.startswith("@") or (adorning and not ADORNED.match(part))
    if piece:
        yield "".join(piece)


def plain_python(source: str) -> str:
    """A source without IPython's own syntax, pasted prompts and a common indentation."""
    if magic := CELL_MAGIC.match(source):
        source = source[magic.end() :] if magic[1] in RUN_BY_MAGIC else ""
    if PROMPT.match(source.lstrip("\n")):
        prompted = [line for line in source.split("\n") if PROMPT.match(line)]
        source = "\n".join(PROMPT.sub("", line) for line in prompted)
    return LINE_MAGIC.sub(r"\1\2pass", textwrap.dedent(source))


def _code_of(tree: ast.Module, source: str) -> Code:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            top = symtable.symtable(source, "<cell>", "exec")
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return _code_by_words(source)
    symbols = top.get_symbols()
    binds = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    read = {s.get_name() for s in symbols if s.is_referenced()}
    imports = {s.get_name() for s in symbols if s.is_imported()}
    uses: set[str] = set()
    of_module = {s.get_name() for s in symbols}
    tables = list(top.get_children())
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_global():
                of_module.add(symbol.get_name())
                uses |= {symbol.get_name()} if symbol.is_referenced() else set()
                binds |= {symbol.get_name()} if symbol.is_assigned() or symbol.is_imported() else set()
    alters, calls, star, dynamic = _changes(tree)
    return Code(
        frozenset(binds),
        frozenset(imports),
        frozenset(alters & of_module),
        frozenset(calls & of_module),
        frozenset(uses | (_read_before_bound(tree, read) & of_module)),
        star=star,
        dynamic=dynamic or bool((uses | read) & DYNAMIC),
    )


def _read_before_bound(tree: ast.Module, read: set[str]) -> set[str]:
    """Which of these names the cell reads, while it is run, before it has surely bound them itself."""
    before, bound = set(), set()
    for statement in tree.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.AugAssign):
                before |= {_root(node.target)} - bound - {""}
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in read:
                before |= {node.id} - bound
        if isinstance(statement, BINDS_SURELY):
            bound |= _bound_in(statement)
    return before


def _bound_in(statement: ast.stmt) -> set[str]:
    """The names that a statement of a module binds there."""
    bound, todo = set(), [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, FUNCTIONS | ast.ClassDef):
            bound.add(node.name)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.comprehension):
            todo += [node.iter, *node.ifs]
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.alias):
            bound.add(node.asname or node.name.split(".")[0])
        todo += ast.iter_child_nodes(node)
    return bound


def _changes(tree: ast.Module) -> tuple[set[str], set[str], bool, bool]:
    """Names altered by a store, names with a method called, all names imported, names bound unseen."""
    alters, calls, star, dynamic = set(), set(), False, False
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            alters.add(_root(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            function = node.value.func
            calls.add(_root(function) if isinstance(function, ast.Attribute) else "")
            if isinstance(function, ast.Name) and function.id == "setattr":
                alters |= {_root(given) for given in node.value.args[:1]}
        elif isinstance(node, FUNCTIONS):  # a decorator may give the function to a class
            decorators = [d for d in node.decorator_list if isinstance(d, ast.Call)]
            alters |= {_root(given) for decorator in decorators for given in decorator.args}
        elif isinstance(node, ast.ImportFrom):
            star = star or any(alias.name == "*" for alias in node.names)
        dynamic = dynamic or (isinstance(node, ast.Attribute) and node.attr == "__dict__")
    return alters - {""}, calls - {""}, star, dynamic


def _root(node: ast.AST) -> str:
    """The name at the beginning of `name.a[1].b`; nothing where it begins with something else."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _lines_of(statement: ast.stmt, lines: list[str]) -> str:
    decorators = getattr(statement, "decorator_list", [])
    first = min(node.lineno for node in [statement, *decorators])
    return "".join(lines[first - 1 : statement.end_lineno])


def _code_by_words(source: str) -> Code:
    binds = set()
    for function, variable, imported in BOUND_BY_WORDS.findall(source):
        binds |= {function, variable} - {""} | set(WORD.findall(imported))
    words = set(WORD.findall(source))
    return Code(
        binds=frozenset(binds),
        words=frozenset(words),
        star=re.search(r"^[ \t]*from[ \t]+\S+[ \t]+import[ \t]*\*", source, re.MULTILINE) is not None,
        dynamic=bool(words & DYNAMIC),
    )


def _is_blank(definition: ast.stmt) -> bool:
    """Whether a function says nothing, or a class has methods and none of them does."""
    inside = [s for s in definition.body if isinstance(definition, ast.ClassDef) and isinstance(s, FUNCTIONS)]
    rest = [s for s in definition.body if s not in inside]
    return all(map(_says_nothing, rest)) and all(map(_is_blank, inside)) and bool(inside or rest)


def _says_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super"))))):
            return True
        case ast.Raise(exc=ast.Name(id=name) | ast.Call(func=ast.Name(id=name))):
            return name == "NotImplementedError"
    return False
