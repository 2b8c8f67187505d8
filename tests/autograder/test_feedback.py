"""What a student reads of one answer."""

from autograder.examination import names_reached, names_used
from autograder.feedback import Feedback, as_html
from autograder.verdict import Finding, Verdict


def test_code_is_marked_up_and_text_is_escaped_wherever_a_sentence_may_hold_both():
    finding = Finding("adds `eps` & keeps a < b", 0, 3, "it is wrong", "norm(<3>)")
    page = as_html(Feedback(Verdict("norm", 0, 3, (finding,), "late", "Add `eps` under the <root>.")))
    assert "adds <code>eps</code> &amp; keeps a &lt; b" in page
    assert "Add <code>eps</code> under the &lt;root&gt;." in page
    assert "norm(&lt;3&gt;)" in page and "`" not in page


def test_what_an_answer_calls_through_other_cells_is_found():
    cells = [
        "class Writer:\n    def __init__(self):\n        self.caches = [Cache(8)]",
        "def Cache(size):\n    return [room] * size",
        "def broken(:",
        "def unused():\n    return Other()",
    ]
    assert names_reached(names_used("def greedy(model):\n    return Writer(model)"), cells) == {
        "Writer", "Cache", "model", "self", "room", "size"
    }  # fmt: skip
    assert names_reached(names_used("def a(:"), cells) == set()
    assert names_reached({"a"}, ["def a():\n    b()", "def b():\n    a()"]) == {"a", "b"}
    assert names_reached({"a"}, ["def a():\n    b()  #" + 50_000 * "-"]) == {"a"}, "too long to be parsed"
