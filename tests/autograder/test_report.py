"""The instructor's page."""

import re

import pytest

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exercises import exercises_of
from autograder.feedback import Feedback
from autograder.report import as_html, mistakes_made, shares, write_report
from autograder.results import Result
from autograder.verdict import Finding, Verdict

TOPIC = "masks"
EXERCISES = exercises_of(TOPIC)
HOSTILE = "<script>alert(1)</script>"


def made_up(student: str, share: float, mistake: str = "", person: str = "", mend: tuple = ()) -> Result:
    """A result with the same share of every exercise's points."""
    points = {name: share * exercise.points() for name, exercise in EXERCISES.items()}
    finding = Finding("is right", 0, 3, "it is wrong", "causal_mask(3)")
    verdict = Verdict("causal_mask", 0, 3, (finding,), mistake, mistake and f"You did {mistake}.")
    feedback = {"causal_mask": Feedback(verdict, mend)}
    return Result(student, True, points, sum(points.values()), feedback, person)


CLASS = [
    made_up("ada", 1.0),
    made_up("bob", 0.5, "inverted"),
    made_up(HOSTILE, 0.0, "inverted", "it never ends"),
    made_up("cleo", 0.5, "transposed"),
    made_up("dora", 0.5, "transposed", mend=("padding_mask",)),
    Result("eve", False, {}, 0.0, {}, f"the file is damaged {HOSTILE}"),
]


def test_shares_are_means_over_the_graded():
    assert shares(CLASS[:3], TOPIC) == pytest.approx({name: 0.5 for name in EXERCISES})


def test_mistakes_are_ranked_and_inherited_ones_not_counted():
    counted = mistakes_made(CLASS)
    assert counted[("causal_mask", "inverted", "You did inverted.")] == 2
    assert counted[("causal_mask", "transposed", "You did transposed.")] == 1
    page = as_html(CLASS, TOPIC)
    assert page.index("You did inverted.") < page.index("You did transposed.")


def test_page_needs_nothing_else_and_escapes_everybody():
    page = as_html(CLASS, TOPIC)
    assert "<script" not in page and "&lt;script&gt;" in page
    assert all(link.startswith("data:") for link in re.findall(r'(?:src|href|srcset)="([^"]*)"', page))
    assert "http" not in re.sub(r"base64,[\w+/=]+", "", page)


def test_who_needs_a_person_stands_first_and_has_no_zero():
    page = as_html(CLASS, TOPIC)
    assert page.index("Who needs a person") < page.index("<picture") < page.index("Known mistakes")
    assert "it never ends" in page
    assert "6 submissions, 5 graded" in page
    row = re.search(r'<th scope="row">eve</th>.*?</tr>', page[page.index("Everybody") :])[0]
    assert "damaged" in row and "<strong>" not in row


def test_picture_says_what_it_shows():
    alt = re.search(r'alt="([^"]+)"', as_html(CLASS, TOPIC))[1]
    assert all(name in alt for name in EXERCISES) and "50%" in alt


def test_nobody_graded_is_one_sentence(tmp_path):
    course = Course.made(tmp_path / "course")
    course.release(TOPIC)
    course.folder("submitted", "ada", TOPIC).mkdir(parents=True)
    with pytest.raises(CourseError, match="autograder grade masks"):
        write_report(course, TOPIC)


def test_in_a_browser(sample, browser):
    for scheme, width in (("light", 1000), ("dark", 1000), ("light", 380)):
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
        for path in ("report/masks.html", "feedback/zanele/masks/03_masks.html"):
            page = context.new_page()
            asked, said = [], []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("console", lambda message, said=said: said.append(message.text))
            page.goto((sample.path / path).as_uri())
            assert [url for url in asked if not url.startswith(("data:", "file:"))] == []
            assert said == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            style = page.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
            ink, paper = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in style)
            assert abs(ink - paper) > 400 and (paper < 200) == (scheme == "dark")
            assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 100)")
        context.close()
    assert (sample.path / "report" / "masks.png").read_bytes().startswith(b"\x89PNG")
