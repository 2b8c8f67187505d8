"""Submissions as they come back from real life, and worse: each made from a right notebook by one accident.

A recipe gets the solved notebook as plain JSON, to do with as it likes. It returns the bytes of the file
handed in, or fills the folder it asks for. `DAMAGED` has them all by name, with what must come out.
"""

import base64
import bz2
import copy
import difflib
import gzip
import html
import inspect
import io
import json
import os
import re
import socket
import stat
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NAME = "03_masks.ipynb"


@dataclass(frozen=True)
class Damaged:
    """One accident. `lost` cannot be recovered; with `unreadable`, nothing can, and the reason has this word.

    `says` must stand in what the student is told was repaired, `flag` in what a person should look at.
    """

    name: str
    recipe: Callable
    lost: frozenset[str]
    unreadable: str
    says: str
    flag: str

    def put_into(self, folder: Path, notebook: dict) -> None:
        """Hand the damaged submission in: fill a student's folder."""
        notebook = copy.deepcopy(notebook)
        if "folder" in inspect.signature(self.recipe).parameters:
            self.recipe(notebook, folder=folder)
        else:
            (folder / NAME).write_bytes(self.recipe(notebook))


DAMAGED: dict[str, Damaged] = {}


def damage(lost: tuple[str, ...] = (), unreadable: str = "", says: str = "", flag: str = "") -> Callable:
    def kept(recipe: Callable) -> Callable:
        name = recipe.__name__
        assert name not in DAMAGED
        DAMAGED[name] = Damaged(name, recipe, frozenset(lost), unreadable, says, flag)
        return recipe

    return kept


def text(notebook: object) -> str:
    return json.dumps(notebook, indent=1, ensure_ascii=False)


def data(notebook: object) -> bytes:
    return text(notebook).encode()


def code_cell(source: object, **more: object) -> dict:
    return {
        "cell_type": "code",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    } | more


def answer(notebook: dict, name: str) -> dict:
    return next(c for c in notebook["cells"] if grade_id(c) == f"masks-{name}")


def tests(notebook: dict, name: str) -> dict:
    return next(c for c in notebook["cells"] if grade_id(c) == f"masks-{name}-tests")


def grade_id(cell: dict) -> str:
    return cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")


def answers(notebook: dict) -> list[dict]:
    return [c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("solution")]


def stub(name: str, arguments: str = "*arguments") -> str:
    return f'def {name}({arguments}):\n    raise NotImplementedError("write {name} here")'


def released_stub(notebook: dict, name: str) -> str:
    """The stub as released, which the solved notebook brings along for the recipes."""
    return notebook["metadata"]["stubs"][name]


# How the bytes were written


@damage()
def untouched(notebook):
    return data(notebook)


@damage()
def utf8_with_bom(notebook):
    return b"\xef\xbb\xbf" + data(notebook)


@damage(says="UTF-8")
def utf16(notebook):
    return text(notebook).encode("utf-16")


@damage(says="UTF-8")
def utf16_without_bom(notebook):
    return text(notebook).encode("utf-16-le")


@damage(says="UTF-8")
def utf32(notebook):
    return text(notebook).encode("utf-32")


@damage(says="UTF-8")
def windows_1252(notebook):
    answer(notebook, "causal_mask")["source"] += "\n# für später: naïve Lösung – fertig"
    return text(notebook).encode("cp1252", "replace")


@damage(says="UTF-8")
def one_byte_is_wrong(notebook):
    return data(notebook).replace("■".encode(), b"\xff", 1)


@damage()
def windows_line_ends(notebook):
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")
    return data(notebook).replace(b"\n", b"\r\n")


@damage()
def old_mac_line_ends(notebook):
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r")
    return data(notebook)


@damage()
def zero_bytes_inside(notebook):
    source = "".join(answer(notebook, "prefix_mask")["source"])
    answer(notebook, "prefix_mask")["source"] = source.replace("return", "ret\0urn")
    return data(notebook) + b"\0" * 4096


@damage()
def half_a_surrogate_pair(notebook):
    answer(notebook, "causal_mask")["source"] += "\n# \ud83d"
    return json.dumps(notebook).encode()


@damage(unreadable="empty")
def empty_file(notebook):
    return b""


@damage(unreadable="empty")
def only_zero_bytes(notebook):
    return b"\0" * 10_000


@damage(unreadable="notebook")
def noise(notebook):
    return bytes(range(128, 256)) * 100


@damage(unreadable="PDF")
def printed_as_pdf(notebook):
    return b"%PDF-1.7\n" + data(notebook)


@damage(unreadable="picture")
def a_picture(notebook):
    return b"\x89PNG\r\n\x1a\n" + bytes(1000)


# Damaged JSON


@damage(says="damaged")
def cut_off_at_the_end(notebook):
    whole = text(notebook)
    return whole[: whole.index('print(f\\"boolean') + 3].encode()


@damage(lost=("masked_softmax",), says="damaged", flag="masked_softmax")
def cut_off_before_the_last_answer(notebook):
    whole = text(notebook)
    return whole[: whole.index('"def masked_softmax')].encode()


@damage(says="damaged")
def beginning_is_missing(notebook):
    whole = text(notebook)
    return whole[whole.index("figures.use_style") :].encode()


@damage(says="damaged")
def trailing_garbage(notebook):
    return data(notebook) + b"\n</body>}} [,"


@damage(says="damaged")
def written_twice_into_one_file(notebook):
    return data(notebook) * 2


@damage(says="damaged")
def trailing_commas(notebook):
    return re.sub(r"\n( *)\]", r",\n\1]", text(notebook)).encode()


@damage(says="damaged")
def commas_missing(notebook):
    return re.sub(r"\},\n", "}\n", text(notebook)).encode()


@damage(says="damaged")
def a_bracket_is_missing(notebook):
    whole = text(notebook)
    cut = whole.index("\n   ]", whole.index("def padding_mask")) + 4
    return (whole[:cut] + whole[cut + 1 :]).encode()


@damage(says="damaged")
def a_quote_is_missing(notebook):
    return text(notebook).replace('"plt.show()"', '"plt.show()', 1).encode()


@damage(flag="git")
def conflict_around_a_line(notebook):
    lines = text(notebook).split("\n")
    at = next(i for i, line in enumerate(lines) if '"def additive_mask' in line) - 1
    conflict = ["<<<<<<< HEAD", *lines[at : at + 1], "=======", *lines[at : at + 1], ">>>>>>> other"]
    return "\n".join([*lines[:at], *conflict, *lines[at + 1 :]]).encode()


@damage(flag="git")
def conflict_in_an_output(notebook):
    whole = text(notebook)
    count = '"execution_count": '
    first, rest = whole.split(count, 1)
    rest = rest.split("\n", 1)[1]
    sides = f"\n<<<<<<< HEAD\n{count}1,\n=======\n{count}2,\n>>>>>>> 1f3a\n"
    return (first + sides + rest).encode()


@damage(flag="git")
def conflict_between_stub_and_answer(notebook):
    written = text(notebook)
    answer(notebook, "causal_mask")["source"] = released_stub(notebook, "causal_mask")
    blank = text(notebook)
    return _conflict(written, blank)


@damage(flag="git")
def conflict_of_two_halves(notebook):
    """One side has written the first four answers, the other side the rest."""
    names = [grade_id(cell).removeprefix("masks-") for cell in answers(notebook)]
    halves = []
    for blank in (names[4:], names[:4]):
        half = copy.deepcopy(notebook)
        for name in blank:
            answer(half, name)["source"] = released_stub(notebook, name)
        halves.append(text(half))
    return _conflict(*halves)


def _conflict(ours: str, theirs: str) -> bytes:
    """The file that git leaves behind where it cannot merge."""
    one, other, merged = ours.split("\n"), theirs.split("\n"), []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        same = kind == "equal"
        merged += one[a:b] if same else ["<<<<<<< HEAD", *one[a:b], "=======", *other[c:d], ">>>>>>> 1f3a"]
    return "\n".join(merged).encode()


@damage()
def not_a_number_and_giant_numbers(notebook):
    notebook["metadata"] |= {"x": float("nan"), "y": float("inf")}
    return data(notebook).replace(b'"x": NaN', b'"x": NaN, "z": ' + b"9" * 6000)


@damage()
def keys_twice(notebook):
    whole = text(notebook)
    return whole.replace(
        '"cell_type": "code",', '"cell_type": "code", "source": "", "cell_type": "code",'
    ).encode()


@damage()
def cells_twice(notebook):
    first, rest = dict(notebook, cells=notebook["cells"][:40]), notebook["cells"][40:]
    whole = text(first).rstrip()
    assert whole.endswith("}")
    return (whole[:-1] + f', "cells": {text(rest)}}}').encode()


@damage(says="damaged")
def output_nested_too_deep(notebook):
    notebook["cells"][2]["outputs"] = ["DEEP"]
    return data(notebook).replace(b'"DEEP"', b"[" * 100_000 + b"]" * 100_000)


# JSON of another shape


@damage()
def a_list_of_cells(notebook):
    return data(notebook["cells"])


@damage()
def escaped_twice(notebook):
    return data(text(notebook))


@damage()
def escaped_three_times(notebook):
    return data({"ipynb": json.dumps(text(notebook))})


@damage()
def answer_of_the_contents_api(notebook):
    return data({"name": NAME, "type": "notebook", "format": "json", "content": notebook})


@damage()
def answer_of_a_git_server(notebook):
    content = base64.encodebytes(data(notebook)).decode()
    return data({"name": NAME, "encoding": "base64", "content": content})


@damage(says="damaged")
def inside_a_web_page(notebook):
    return f"<!DOCTYPE html><html><body><pre>{html.escape(text(notebook))}</pre></body></html>".encode()


@damage(says="damaged")
def inside_a_script_of_a_web_page(notebook):
    return f"<!DOCTYPE html><html><script>var nb = {json.dumps(notebook)};</script></html>".encode()


@damage(says="damaged")
def inside_a_markdown_fence(notebook):
    return f"Here is my notebook:\n\n```json\n{text(notebook)}\n```\n".encode()


@damage(says="web page")
def exported_as_a_web_page(notebook):
    shown = [
        f'<div class="hl-ipython3"><pre><span></span>{_coloured(source(c))}</pre></div>'
        for c in _code(notebook)
    ]
    return f"<!DOCTYPE html><html><body>{''.join(shown)}</body></html>".encode()


def _coloured(code: str) -> str:
    return re.sub(r"\b(def|return)\b", r'<span class="k">\1</span>', html.escape(code))


def source(cell: dict) -> str:
    return "".join(cell["source"])


def _code(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@damage()
def version_3(notebook):
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cells.append({"cell_type": "code", "input": cell["source"], "language": "python", "outputs": []})
        else:
            cells.append({"cell_type": "markdown", "source": cell["source"]})
    cells.insert(0, {"cell_type": "heading", "level": 1, "source": ["Masks"]})
    return data(
        {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]}
    )


@damage()
def version_2_in_two_worksheets(notebook):
    cells = [{"cell_type": "code", "input": source(cell)} for cell in _code(notebook)]
    return data({"nbformat": 2, "worksheets": [{"cells": cells[:9]}, {}, {"cells": cells[9:]}]})


@damage()
def version_says_nothing(notebook):
    return data({"cells": notebook["cells"]})


@damage()
def version_is_nonsense(notebook):
    return data(notebook | {"nbformat": "four", "nbformat_minor": None, "metadata": [1, 2]})


@damage()
def cells_without_a_type(notebook):
    for cell in notebook["cells"]:
        del cell["cell_type"]
    return data(notebook)


@damage()
def cells_of_an_unknown_type(notebook):
    for cell in _code(notebook):
        cell["cell_type"] = "python"
    return data(notebook)


@damage()
def cells_by_number(notebook):
    notebook["cells"] = {str(i): cell for i, cell in reversed(list(enumerate(notebook["cells"])))}
    return data(notebook)


@damage()
def strange_things_among_the_cells(notebook):
    notebook["cells"][3:3] = [
        None,
        3,
        [],
        "text",
        {"cell_type": "code"},
        {"cell_type": "code", "source": None},
    ]
    notebook["cells"] += [code_cell(7), code_cell({"a": ["x"]}), code_cell([[["1\n"], "2"], None])]
    return data(notebook)


@damage()
def lines_without_line_ends(notebook):
    for cell in notebook["cells"]:
        cell["source"] = source(cell).split("\n")
    return data(notebook)


@damage()
def no_outputs_no_metadata(notebook):
    for cell in _code(notebook):
        for key in ("outputs", "execution_count", "metadata", "id"):
            cell.pop(key, None)
    return data(notebook)


@damage()
def metadata_of_another_kind(notebook):
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"] = ["text", 3, None, {"nbgrader": "yes", "tags": "tests"}, {"tags": [{}]}][number % 5]
    return data(notebook)


@damage()
def ids_missing_doubled_and_invalid(notebook):
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = ["same", "same", "no id at all! ", "x" * 500, 12, None][number % 6]
    return data(notebook)


@damage()
def another_kernel(notebook):
    notebook["metadata"]["kernelspec"] = {"name": "conda-env-deep-py", "display_name": "R", "language": "R"}
    return data(notebook)


@damage()
def huge_outputs(notebook):
    picture = {"output_type": "display_data", "data": {"image/png": "A" * 2_000_000}, "metadata": {}}
    for cell in _code(notebook)[:5]:
        cell["outputs"] = [picture]
    return data(notebook)


@damage(says="too long")
def a_hundred_thousand_cells(notebook):
    notebook["cells"][30:30] = [code_cell(f"x{i} = {i}") for i in range(100_000)]
    return json.dumps(notebook).encode()


@damage(says="too long")
def a_cell_of_megabytes(notebook):
    cell = answer(notebook, "memory_mask")
    cell["source"] = f'table = "{"7" * 3_000_000}"\n\n\n{source(cell)}'
    return data(notebook)


@damage(unreadable="JSON, but no notebook")
def another_json_file(notebook):
    return data({"students": [{"name": "aiko", "marks": [1, 2, 3]}]})


@damage(unreadable="no cells")
def no_cells(notebook):
    return data(notebook | {"cells": []})


@damage(unreadable="another notebook")
def another_course(notebook):
    for number, cell in enumerate(answers(notebook)):
        cell["source"] = f"def task_{number}():\n    return {number}"
        cell["metadata"]["nbgrader"]["grade_id"] = f"problem-set-1-task-{number}"
        cell["id"] = f"task-{number}"
    notebook["cells"] = answers(notebook)
    return data(notebook)


# Scripts


@damage(says="Python file")
def converted_to_a_script(notebook):
    parts = ["#!/usr/bin/env python\n# coding: utf-8\n"]
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            parts.append(f"# In[{number}]:\n\n\n{_as_script(source(cell))}\n")
        else:
            parts.append("\n".join(f"# {line}" for line in source(cell).split("\n")) + "\n")
    return "\n".join(parts).encode()


def _as_script(code: str) -> str:
    return re.sub(
        r"^( *)%pip (.*)$", r"\1get_ipython().run_line_magic('pip', '\2')", code, flags=re.MULTILINE
    )


@damage(says="Python file")
def jupytext_percent_script(notebook):
    parts = ["# ---\n# jupyter:\n#   jupytext:\n#     format_name: percent\n# ---\n"]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            parts.append(f'# %% id="{cell["id"]}"\n{source(cell)}\n')
        else:
            parts.append(
                '# %% [markdown]\n"""\n' + source(cell).replace("\\", "").replace('"', "'") + '\n"""\n'
            )
    return "\n".join(parts).encode()


@damage(says="Python file")
def only_the_functions(notebook):
    return ("import torch\n\n\n" + "\n\n\n".join(_bare(source(cell)) for cell in answers(notebook))).encode()


def _bare(code: str) -> str:
    """A function without annotations, as typed by somebody who does not care for them."""
    code = re.sub(r"(\w+): (?:Int|Bool|Float)\[[^\]]*\]", r"\1", code)
    code = re.sub(r"(\w+): (?:int|torch\.dtype)", r"\1", code)
    return re.sub(r"\) -> [^\n]*:\n", "):\n", code)


@damage(says="Markdown")
def a_markdown_file(notebook):
    parts = [
        f"```python\n{source(c)}\n```" if c["cell_type"] == "code" else source(c) for c in notebook["cells"]
    ]
    return "\n\n".join(parts).encode()


# Cells that are no Python any more


@damage(says="invisible")
def non_breaking_spaces(notebook):
    for cell in answers(notebook):
        cell["source"] = source(cell).replace("    ", "\u00a0\u00a0 \u00a0")
    return data(notebook)


@damage(says="invisible")
def zero_width_spaces(notebook):
    for cell in answers(notebook):
        cell["source"] = "\ufeff" + source(cell).replace("return ", "return \u200b")
    return data(notebook)


@damage(says="curly")
def curly_quotes(notebook):
    cell = answer(notebook, "masked_softmax")
    cell["source"] = source(cell).replace('"""', "“““", 1).replace('"""', "”””", 1).replace('"', "”")
    return data(notebook)


@damage(says="another script")
def full_width_punctuation(notebook):
    table = str.maketrans("():,=", "（）：，＝")
    for name in ("causal_mask", "padding_mask"):
        cell = answer(notebook, name)
        cell["source"] = re.sub(r'"[^"]*"', "", _bare(source(cell))).translate(table)
        cell["source"] += "\n    # 完成（好）"
    return data(notebook)


@damage()
def form_feeds_and_separators(notebook):
    for cell in answers(notebook):
        cell["source"] = "\f" + source(cell).replace("\n", "\u2028\n")
    return data(notebook)


@damage(says="tabs")
def tabs_and_spaces(notebook):
    cell = answer(notebook, "causal_mask")
    cell["source"] = (
        "def causal_mask(length):\n    if True:\n\tmask = torch.ones(length, length, dtype=torch.bool)\n"
        "        mask = mask.tril()\n    return mask"
    )
    return data(notebook)


@damage(says="fences")
def fences_in_code_cells(notebook):
    for cell in answers(notebook):
        cell["source"] = f"Sure! Here is the function:\n```python\n{source(cell)}\n```\nIt returns the mask."
    return data(notebook)


@damage(says="fences")
def one_fence_in_a_code_cell(notebook):
    cell = answer(notebook, "padding_mask")
    cell["source"] = f"```python\n{source(cell)}"
    return data(notebook)


@damage(says="web page")
def escaped_for_a_web_page(notebook):
    for cell in answers(notebook):
        cell["source"] = html.escape(source(cell))
    return data(notebook)


@damage(says="line ends")
def newlines_written_as_escapes(notebook):
    for cell in answers(notebook):
        cell["source"] = source(cell).replace("\n", "\\n")
    return data(notebook)


@damage()
def pasted_prompts(notebook):
    for cell in answers(notebook):
        first, *rest = source(cell).split("\n")
        cell["source"] = "\n".join([f">>> {first}", *(f"... {line}" for line in rest)])
    return data(notebook)


@damage()
def indented_as_a_whole(notebook):
    for cell in answers(notebook):
        cell["source"] = "\n".join("    " + line for line in source(cell).split("\n"))
    return data(notebook)


@damage()
def magics_and_shell_commands(notebook):
    for cell in answers(notebook):
        cell["source"] = f"%%time\n{source(cell)}"
    answer(notebook, "causal_mask")["source"] = "!pip install einops\n%matplotlib inline\n" + source(
        answer(notebook, "causal_mask")
    ).removeprefix("%%time\n")
    return data(notebook)


@damage()
def written_to_a_file_by_magic(notebook):
    cell = answer(notebook, "prefix_mask")
    cell["source"] = f"%%writefile prefix.py\n{source(cell)}"
    return data(notebook)


@damage(lost=("additive_mask",))
def one_answer_is_no_python(notebook):
    answer(notebook, "additive_mask")["source"] = "def additive_mask(mask, dtype)\n    return (mask"
    return data(notebook)


@damage(says="invisible")
def garbage_besides_two_answers(notebook):
    """A cell of two answers: one has invisible characters, the line between them can never be Python."""
    first, second = answer(notebook, "causal_mask"), answer(notebook, "padding_mask")
    second["source"] = (
        source(first).replace("return ", "return \u200b") + "\n\ncausal_mask(3 is [1, 2\n\n" + source(second)
    )
    first["source"] = ""
    return data(notebook)


# Cells moved, merged, retyped


@damage()
def metadata_stripped(notebook):
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"], cell["id"] = {}, f"c{number}"
    return data(notebook)


@damage()
def only_ids_left(notebook):
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    return data(notebook)


@damage()
def everything_backwards(notebook):
    """The setup comes last, then: a cell that misses a name is run again after the others."""
    notebook["cells"].reverse()
    return data(notebook)


@damage()
def all_answers_in_one_cell(notebook):
    merged = "\n\n\n".join(source(cell) for cell in answers(notebook))
    notebook["cells"] = [c for c in notebook["cells"] if c not in answers(notebook)] + [code_cell(merged)]
    return data(notebook)


@damage()
def answer_merged_with_its_tests(notebook):
    for name in ("causal_mask", "masked_softmax"):
        cell, checks = answer(notebook, name), tests(notebook, name)
        cell["source"] = source(cell) + "\n\n" + source(checks)
        notebook["cells"].remove(checks)
    return data(notebook)


@damage(says="tests")
def answer_written_into_the_tests(notebook):
    cell, checks = answer(notebook, "causal_mask"), tests(notebook, "causal_mask")
    checks["source"] = source(cell) + "\n\n" + source(checks)
    cell["source"] = released_stub(notebook, "causal_mask")
    return data(notebook)


@damage()
def answer_in_a_new_cell_before_the_stub(notebook):
    for cell in answers(notebook):
        at = notebook["cells"].index(cell)
        name = grade_id(cell).removeprefix("masks-")
        notebook["cells"].insert(at, code_cell(cell["source"]))
        cell["source"] = released_stub(notebook, name)
    return data(notebook)


@damage(says="the last one counts")
def wrong_attempt_left_above(notebook):
    at = notebook["cells"].index(answer(notebook, "causal_mask"))
    notebook["cells"].insert(at, code_cell("def causal_mask(length):\n    return torch.zeros(length)"))
    return data(notebook)


@damage(lost=("causal_mask", "decoder_mask", "prefix_mask"), says="the last one counts")
def wrong_attempt_left_below(notebook):
    at = notebook["cells"].index(answer(notebook, "causal_mask"))
    notebook["cells"].insert(at + 1, code_cell("def causal_mask(length):\n    return torch.zeros(length)"))
    return data(notebook)


@damage()
def a_broken_attempt_left_below(notebook):
    at = notebook["cells"].index(answer(notebook, "causal_mask"))
    notebook["cells"].insert(at + 1, code_cell("def causal_mask(length):\n    return torch.zeros(length"))
    return data(notebook)


@damage()
def graded_cells_copied(notebook):
    notebook["cells"] = [cell for cell in notebook["cells"] for _ in range(2)]
    return data(notebook)


@damage()
def tests_deleted(notebook):
    notebook["cells"] = [c for c in notebook["cells"] if not grade_id(c).endswith("-tests")]
    return data(notebook)


@damage()
def tests_that_stop_everything(notebook):
    for name in ("causal_mask", "padding_mask"):
        tests(notebook, name)["source"] = "import os\nos._exit(1)"
    return data(notebook)


@damage()
def answers_swapped(notebook):
    one, other = answer(notebook, "causal_mask"), answer(notebook, "masked_softmax")
    one["source"], other["source"] = other["source"], one["source"]
    return data(notebook)


@damage(says="no code cell")
def retyped_as_markdown(notebook):
    for cell in answers(notebook)[:3]:
        cell["cell_type"] = "markdown"
    answers(notebook)[4]["cell_type"] = "raw"
    return data(notebook)


@damage(says="no code cell")
def fenced_in_markdown(notebook):
    cell = answer(notebook, "additive_mask")
    cell["cell_type"] = "markdown"
    cell["source"] = f"My answer:\n\n```python\n{source(cell)}\n```\n\nDone."
    return data(notebook)


@damage()
def helpers_everywhere(notebook):
    """An answer that needs a constant, a helper, a cache and an import, before it and after it."""
    answer(notebook, "causal_mask")["source"] = (
        "def causal_mask(length):\n"
        "    if length not in CACHE:\n        CACHE[length] = _lower(length, device=CACHE['device'])\n"
        "    return CACHE[length].clone()"
    )
    notebook["cells"][3:3] = [code_cell("CACHE = {}")]
    notebook["cells"] += [
        code_cell(
            "@functools.cache\ndef _lower(length, device):\n"
            "    return torch.ones(length, length, device=device).tril() > ZERO"
        ),
        code_cell("import functools"),
        code_cell("CACHE['device'] = 'cpu'"),
        code_cell("if True:\n    with torch.no_grad():\n        ZERO, _ = 0, 1"),
    ]
    return data(notebook)


@damage()
def defined_in_other_ways(notebook):
    answer(notebook, "causal_mask")["source"] = (
        "causal_mask = lambda length: torch.ones(length, length, dtype=torch.bool).tril()"
    )
    code = source(answer(notebook, "padding_mask"))
    answer(notebook, "padding_mask")["source"] = "if True:\n" + "\n".join(
        "    " + li for li in code.split("\n")
    )
    answer(notebook, "memory_mask")["source"] = "memory_mask = padding_mask"
    code = source(answer(notebook, "additive_mask"))
    answer(notebook, "additive_mask")["source"] = "class Masks:\n" + "\n".join(
        "    " + line for line in ["@staticmethod", *code.split("\n")]
    )
    notebook["cells"].append(code_cell("additive_mask = Masks.additive_mask"))
    return data(notebook)


@damage()
def defined_where_nobody_can_see_it(notebook):
    code = source(answer(notebook, "causal_mask"))
    answer(notebook, "causal_mask")["source"] = f"exec({code!r})"
    code = source(answer(notebook, "additive_mask"))
    made = code.replace("def additive_mask", "def made")
    answer(notebook, "additive_mask")["source"] = f"{made}\n\nglobals()['additive' + '_mask'] = made"
    return data(notebook)


@damage(lost=("masked_softmax",))
def an_answer_deleted(notebook):
    notebook["cells"].remove(answer(notebook, "masked_softmax"))
    return data(notebook)


@damage(lost=("masked_softmax",))
def an_answer_not_written(notebook):
    answer(notebook, "masked_softmax")["source"] = released_stub(notebook, "masked_softmax")
    return data(notebook)


@damage()
def setup_deleted_and_typed_by_hand(notebook):
    notebook["cells"][2]["source"] = "import torch, math\nfrom math import *\nfrom torch import Tensor\n" + (
        "from jaxtyping import Bool, Float, Int"
    )
    return data(notebook)


@damage()
def a_scratch_cell_that_never_ends(notebook):
    notebook["cells"][10:10] = [code_cell("mask = scores = weights = 3\nwhile True:\n    pass")]
    return data(notebook)


@damage(flag="ctypes")
def answer_that_reaches_for_memory(notebook):
    answer(notebook, "causal_mask")["source"] = "import ctypes\n\n\n" + source(
        answer(notebook, "causal_mask")
    )
    return data(notebook)


@damage(flag="scaled_dot_product_attention")
def answer_that_uses_what_is_forbidden(notebook):
    cell = answer(notebook, "masked_softmax")
    cell["source"] = source(cell) + "\n\n\nspare = getattr(F, 'scaled_dot_product_attention')"
    return data(notebook)


# What lies in the folder


@damage(unreadable="empty")
def empty_folder(notebook, folder):
    pass


@damage(says="my masks (final) 2.ipynb")
def another_file_name(notebook, folder):
    (folder / "my masks (final) 2.ipynb").write_bytes(data(notebook))


@damage(says="03_masks.ipynb.txt")
def named_as_text(notebook, folder):
    (folder / "03_masks.ipynb.txt").write_bytes(data(notebook))


@damage(says="masks.py")
def only_a_script(notebook, folder):
    (folder / "masks.py").write_bytes(converted_to_a_script(notebook))


@damage()
def leftovers_around_it(notebook, folder):
    blank = copy.deepcopy(notebook)
    for cell in answers(blank):
        cell["source"] = released_stub(notebook, grade_id(cell).removeprefix("masks-"))
    for name in (
        ".ipynb_checkpoints/03_masks-checkpoint.ipynb",
        "__MACOSX/._03_masks.ipynb",
        "03_masks.ipynb~",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data(blank))
    (folder / "._03_masks.ipynb").write_bytes(b"\0\5\26\7Mac OS X")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "timestamp.txt").write_text("2026-03-01 18:00:00 UTC\n")
    (folder / NAME).write_bytes(data(notebook))


@damage()
def folder_in_a_folder(notebook, folder):
    (folder / "homework" / "week 3").mkdir(parents=True)
    (folder / "homework" / "week 3" / NAME).write_bytes(data(notebook))


@damage(flag="differ")
def two_notebooks(notebook, folder):
    (folder / NAME).write_bytes(data(notebook))
    answer(notebook, "causal_mask")["source"] = "def causal_mask(length):\n    return length"
    (folder / "03_masks (1).ipynb").write_bytes(data(notebook))


@damage(flag="differ")
def two_notebooks_with_other_names(notebook, folder):
    """The one with more answers counts."""
    (folder / "b.ipynb").write_bytes(data(notebook))
    answer(notebook, "causal_mask")["source"] = released_stub(notebook, "causal_mask")
    (folder / "c.ipynb").write_bytes(data(notebook))


@damage(flag="differ")
def two_notebooks_of_two_days(notebook, folder):
    """Of two with as many answers, the newest counts."""
    (folder / "a.ipynb").write_bytes(data(notebook))
    answer(notebook, "causal_mask")["source"] = "def causal_mask(length):\n    return length"
    (folder / "b.ipynb").write_bytes(data(notebook))
    os.utime(folder / "b.ipynb", (1, 1))


@damage(flag="could not be read")
def empty_under_the_right_name(notebook, folder):
    (folder / "mine.ipynb").write_bytes(data(notebook))
    (folder / NAME).touch()


@damage()
def blank_under_the_right_name(notebook, folder):
    (folder / "mine.ipynb").write_bytes(data(notebook))
    for cell in answers(notebook):
        cell["source"] = released_stub(notebook, grade_id(cell).removeprefix("masks-"))
    (folder / NAME).write_bytes(data(notebook))


@damage(unreadable="link")
def a_link_to_a_file(notebook, folder):
    (folder.parent / "elsewhere.ipynb").write_bytes(data(notebook))
    (folder / NAME).symlink_to(folder.parent / "elsewhere.ipynb")


@damage(unreadable="link")
def a_link_to_a_folder(notebook, folder):
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / NAME).write_bytes(data(notebook))
    (folder / "work").symlink_to(elsewhere)


@damage(unreadable="link")
def the_folder_is_a_link(notebook, folder):
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / NAME).write_bytes(data(notebook))
    folder.rmdir()
    folder.symlink_to(elsewhere)


@damage(unreadable="link")
def the_student_is_a_link(notebook, folder):
    elsewhere = folder.parent.parent / "elsewhere"
    folder.rmdir()
    folder.parent.rename(elsewhere)
    (elsewhere / "masks").mkdir()
    (elsewhere / "masks" / NAME).write_bytes(data(notebook))
    folder.parent.symlink_to(elsewhere)


@damage(unreadable="pipe")
def a_pipe(notebook, folder):
    os.mkfifo(folder / NAME)


@damage(unreadable="socket")
def a_socket(notebook, folder):
    here = os.getcwd()
    os.chdir(folder)  # a socket's path must be short
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(NAME)
    finally:
        os.chdir(here)


@damage(unreadable="folder")
def a_folder_of_that_name(notebook, folder):
    (folder / NAME).mkdir()


@damage(unreadable="larger than 20 MiB")
def a_giant_file(notebook, folder):
    with open(folder / NAME, "wb") as file:
        file.truncate(30 * 2**20)


@damage()
def thousands_of_files(notebook, folder):
    for number in range(3000):
        (folder / f"{number:04}.txt").touch()
    (folder / NAME).write_bytes(data(notebook))


@damage(unreadable="nothing was handed in")
def no_folder(notebook, folder):
    folder.rmdir()


# Archives


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return file.getvalue()


def tarred(files: dict[str, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w", format=format) as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return file.getvalue()


@damage(says="found in")
def zip_archive(notebook, folder):
    files = {f"aiko/{NAME}": data(notebook), "__MACOSX/._x.ipynb": b"\0", "aiko/notes.txt": b"done"}
    (folder / "handin.zip").write_bytes(zipped(files))


@damage()
def zip_named_as_notebook(notebook):
    return zipped({NAME: data(notebook)})


@damage()
def zip_in_a_zip(notebook, folder):
    (folder / "all.zip").write_bytes(
        zipped({"inner.zip": zipped({NAME: data(notebook)}, zipfile.ZIP_STORED)})
    )


@damage(unreadable="too deep")
def zip_in_zip_in_zip(notebook):
    inside = data(notebook)
    for _ in range(5):
        inside = zipped({"inner.zip": inside})
    return inside


@damage()
def gzip_named_as_notebook(notebook):
    return gzip.compress(data(notebook))


@damage()
def tar_archive(notebook, folder):
    (folder / "handin.tar").write_bytes(tarred({f"./handin/{NAME}": data(notebook)}, tarfile.USTAR_FORMAT))


@damage()
def tar_gz_with_a_long_name(notebook, folder):
    files = {f"{'long name ' * 12}/{NAME}": data(notebook)}
    (folder / "handin.tar.gz").write_bytes(gzip.compress(tarred(files, tarfile.GNU_FORMAT)))


@damage()
def tar_bz2(notebook, folder):
    (folder / "handin.tar.bz2").write_bytes(bz2.compress(tarred({NAME: data(notebook)})))


@damage(unreadable="unpacks to")
def zip_bomb(notebook):
    return zipped({NAME: b" " * (50 * 2**20)})


@damage(unreadable="unpacks to")
def gzip_bomb(notebook):
    return gzip.compress(b" " * (50 * 2**20))


@damage(unreadable="nothing in it")
def zip_with_paths_that_leave_it(notebook):
    return zipped(
        {"../../evil.ipynb": data(notebook), "/etc/evil.ipynb": data(notebook), "c:\\evil.ipynb": b"{}"}
    )


@damage(unreadable="link")
def zip_with_a_link(notebook):
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            member = zipfile.ZipInfo(NAME)
            member.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(member, "/etc/passwd")
        return file.getvalue()


@damage(unreadable="password")
def zip_with_a_password(notebook):
    packed = bytearray(zipped({NAME: data(notebook)}))
    packed[6] |= 1
    packed[packed.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


@damage(unreadable="too many files")
def zip_of_many_files(notebook):
    return zipped({f"{number}.ipynb": b"{}" for number in range(5000)}, zipfile.ZIP_STORED)


@damage(unreadable="damaged archive")
def zip_cut_off(notebook):
    return zipped({NAME: data(notebook)})[:5000]


@damage(unreadable="rar")
def rar_archive(notebook, folder):
    (folder / "handin.rar").write_bytes(b"Rar!\x1a\x07\x01\x00" + bytes(500))
