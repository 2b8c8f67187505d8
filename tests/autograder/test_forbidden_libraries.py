"""A whole library that an exercise must do without: it raises while a question is answered, and only then."""

import importlib
import sys

import pytest

from autograder.exercises.namespace import Call, Near

LIBRARY = {
    "__init__.py": (
        "from lent_for_a_test.metrics import Score\ndef score(text):\n    return Score().of(text)\n"
    ),
    "metrics.py": "class Score:\n    def of(self, text):\n        return len(text)\n",
    "later.py": "def score(text):\n    return len(text)\n",
}


@pytest.fixture
def library(tmp_path, monkeypatch):
    folder = tmp_path / "lent_for_a_test"
    folder.mkdir()
    for name, source in LIBRARY.items():
        (folder / name).write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "lent_for_a_test"]:
        del sys.modules[name]


def asked(code, forbidden=("lent_for_a_test",)):
    names = {}
    exec(code, names)
    return Near(names).ask(Call("answer", ("four",), forbidden=forbidden))


@pytest.mark.parametrize(
    "code",
    [
        "import lent_for_a_test\ndef answer(text):\n    return lent_for_a_test.score(text)",
        "from lent_for_a_test import score as answer",
        "from lent_for_a_test.metrics import Score\ndef answer(text):\n    return Score().of(text)",
        "from lent_for_a_test import Score\nscore = Score()\ndef answer(text):\n    return score.of(text)",
        "def answer(text):\n    import lent_for_a_test\n    return lent_for_a_test.score(text)",
        "def answer(text):\n    from lent_for_a_test.metrics import Score\n    return Score().of(text)",
        "import lent_for_a_test\ndef answer(text):\n    from lent_for_a_test.later import score\n"
        "    return score(text)",
    ],
)
def test_a_library_raises_while_a_question_is_answered(library, code):
    allowed = asked(code, forbidden=())
    assert (allowed.value, allowed.error) == (4, None)
    kind, message = asked(code).error
    assert (kind, message.split()[0]) == ("Forbidden", "lent_for_a_test")
    assert asked(code, forbidden=()).value == 4


def test_another_library_may_be_used(library):
    code = "from lent_for_a_test import score as answer"
    assert asked(code, forbidden=("another_one",)).value == 4
    assert asked("import json\nanswer = json.dumps").value == '"four"'
