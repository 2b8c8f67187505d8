"""What a student reads of one answer."""

from autograder.feedback import Feedback, as_html
from autograder.verdict import Finding, Verdict


def test_code_is_marked_up_and_text_is_escaped_wherever_a_sentence_may_hold_both():
    finding = Finding("adds `eps` & keeps a < b", 0, 3, "it is wrong", "norm(<3>)")
    page = as_html(Feedback(Verdict("norm", 0, 3, (finding,), "late", "Add `eps` under the <root>.")))
    assert "adds <code>eps</code> &amp; keeps a &lt; b" in page
    assert "Add <code>eps</code> under the &lt;root&gt;." in page
    assert "norm(&lt;3&gt;)" in page and "`" not in page
