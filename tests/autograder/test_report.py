"""The instructor's page."""

import random
import re
from functools import partial
from statistics import mean

import pytest

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exercises import exercises_of
from autograder.export import export
from autograder.feedback import Feedback
from autograder.report import as_html, discriminations, mistakes_made, shares, write_report
from autograder.results import Result
from autograder.verdict import Finding, Verdict

TOPIC = "masks"
EXERCISES = exercises_of(TOPIC)
OF = sum(exercise.points() for exercise in EXERCISES.values())
HOSTILE = "<script>alert(1)</script>\u202e\x1b[2J"


def made_up(student: str, share: float, mistake: str = "", mend: tuple = (), **told) -> Result:
    """A result with the same share of every exercise's points."""
    points = {name: share * exercise.points() for name, exercise in EXERCISES.items()}
    finding = Finding("is right", 0, 3, "it is wrong", "causal_mask(3)")
    verdict = Verdict("causal_mask", 0, 3, (finding,), mistake, mistake and f"You did {mistake}.")
    feedback = {"causal_mask": Feedback(verdict, mend)}
    told = {"state": "graded", "person": "", "seconds": 0.05} | told
    return Result(student, points=points, total=sum(points.values()), feedback=feedback, **told)


def without_points(student: str, state: str, person: str, **told) -> Result:
    return Result(student, state, {}, 0.0, {}, person, **told)


def with_points(**points: float) -> Result:
    """A result with these points, and none in the other exercises."""
    points = {name: points.get(name, 0.0) for name in EXERCISES}
    return Result("somebody", "graded", points, sum(points.values()), {}, "")


CLASS = [
    made_up("ada", 1.0, repairs=("The file was UTF-16.",)),
    made_up("bob", 0.5, "inverted", repairs=("The file was UTF-16.", f"Cell ids: {HOSTILE}.")),
    made_up(HOSTILE, 0.0, "inverted", state="student fault", person="it never ends", seconds=60.0),
    made_up("cleo", 0.5, "transposed"),
    made_up("dora", 0.5, "transposed", mend=("padding_mask",)),
    without_points("eve", "unreadable", f"the file is damaged {HOSTILE}"),
    without_points("finn", "waiting", "not graded yet"),
]


def test_shares_are_means_over_the_graded():
    assert shares(CLASS[:3], TOPIC) == pytest.approx({name: 0.5 for name in EXERCISES})


def test_discrimination_is_the_correlation_with_all_the_others():
    """By hand: (1, 2, 3) against (2, 4, 9) has 7 / sqrt(2 * 26), against (4, 2, 0) -4 / sqrt(2 * 8)."""
    first, second, third = list(EXERCISES)[:3]
    graded = [with_points(**{first: a, second: b, third: c}) for a, b, c in ((1, 2, 0), (2, 4, 0), (3, 9, 0))]
    found = discriminations(graded, TOPIC)
    assert found[first] == pytest.approx(7 / 52**0.5)
    assert found[third] is None
    graded = [with_points(**{first: a, second: b, third: 0}) for a, b in ((1, 4), (2, 2), (3, 0))]
    assert discriminations(graded, TOPIC)[first] == pytest.approx(-1)
    assert discriminations(graded, TOPIC)[second] == pytest.approx(-1)


def test_an_exercise_is_not_correlated_with_itself():
    """Its own points left in would give (2, 2, 5) instead of (1, 2, 1), and 0.97 instead of -0.69."""
    first, second = list(EXERCISES)[:2]
    graded = [with_points(**{first: a, second: b}) for a, b in ((1, 1), (0, 2), (4, 1))]
    own, others = (1, 0, 4), (1, 2, 1)
    by_hand = sum((a - mean(own)) * (b - mean(others)) for a, b in zip(own, others, strict=True))
    by_hand /= (26 / 3) ** 0.5 * (2 / 3) ** 0.5
    assert by_hand == pytest.approx(-5 / 52**0.5)
    assert discriminations(graded, TOPIC)[first] == pytest.approx(by_hand)


def test_the_error_of_addition_is_no_variance():
    first, second, third = list(EXERCISES)[:3]
    graded = [with_points(**{first: 1, second: 0.1, third: 0.2}), with_points(**{first: 0, second: 0.3})]
    assert discriminations(graded, TOPIC)[first] is None


def test_mistakes_are_ranked_and_inherited_ones_not_counted():
    counted = mistakes_made(CLASS)
    assert counted[("causal_mask", "inverted", "You did inverted.")] == 2
    assert counted[("causal_mask", "transposed", "You did transposed.")] == 1
    page = as_html(CLASS, TOPIC)
    assert page.index("You did inverted.") < page.index("You did transposed.")


def test_page_needs_nothing_else_and_escapes_everybody():
    page = as_html(CLASS, TOPIC)
    assert "<script" not in page and "&lt;script&gt;" in page
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", page)
    assert all(link.startswith("data:") for link in re.findall(r'(?:src|href|srcset)="([^"]*)"', page))
    assert "http" not in re.sub(r"base64,[\w+/=]+", "", page)


def test_who_needs_a_person_stands_first_and_has_no_zero():
    page = as_html(CLASS, TOPIC)
    assert page.index("Who needs a person") < page.index("<picture") < page.index("Known mistakes")
    assert "<td>student fault</td>" in page and "it never ends" in page
    assert "7 submissions: 4 graded, 1 student fault, 1 unreadable, 1 waiting." in page
    for student, why in (("eve", "damaged"), ("finn", "not graded yet")):
        row = re.search(rf'<th scope="row">{student}</th>.*?</tr>', page[page.index("Everybody") :])[0]
        assert why in row and "<strong>" not in row and 'class="number"' not in row


def test_time_and_repairs_are_told():
    page = as_html(CLASS, TOPIC)
    assert re.search(r"took 0\.05&nbsp;s \(median\); the slowest, <bdi>&lt;script.*?, took 60&nbsp;s\.", page)
    row = re.search(r"<tr><td[^>]*>The file was UTF-16\.</td>.*?</tr>", page)[0]
    assert ">2<" in row and "<bdi>ada</bdi>, <bdi>bob</bdi>" in row
    assert page.index("The file was UTF-16.") < page.index("Cell ids: &lt;script")


def test_what_was_not_measured_took_no_time():
    page = as_html([made_up("ada", 1, seconds=1.0), made_up("bob", 1, seconds=3.0), *CLASS[5:]], TOPIC)
    assert "took 2&nbsp;s (median); the slowest, <bdi>bob</bdi>, took 3&nbsp;s." in page


def test_no_total_falls_out_of_the_picture():
    page = as_html([made_up("ada", 1.2), made_up("bob", -0.1)], TOPIC)
    counts = re.findall(r"points: (\d+)", re.search(r'alt="(Students by points[^"]+)"', page)[1])
    assert sum(map(int, counts)) == 2


def test_pictures_say_what_they_show():
    alts = re.findall(r'alt="([^"]+)"', as_html(CLASS, TOPIC))
    assert len(alts) == 4
    totals, seconds, difficulty, discrimination = alts
    assert sum(int(count) for count in re.findall(r"points: (\d+)", totals)) == 5
    assert sum(int(count) for count in re.findall(r"s: (\d+)", seconds)) == 5
    assert all(f"{name} 50%" in difficulty for name in EXERCISES)
    assert all(f"{name} 1.00" in discrimination for name in EXERCISES)


def test_difficulty_and_discrimination_stand_beside_each_other():
    page = as_html(CLASS, TOPIC)
    row = re.search(r'<th scope="row" class="name"><code>causal_<wbr>mask</code></th>.*?</tr>', page)[0]
    assert re.findall(r"number\">([^<]+)<", row) == ["3", "50%", "1.00"]
    assert "Crocker and J. Algina" in page and "With 5 students it says little." in page


@pytest.mark.parametrize(
    "found",
    [
        [made_up("ada", 1.0)],
        [made_up(name, 1.0, seconds=0.0) for name in ("ada", "bob", "cleo")],
        [made_up("ada", 0.0)],
        CLASS[5:],
    ],
    ids=["one student", "all equal", "one with nothing", "nobody graded"],
)
def test_classes_of_which_little_can_be_said(found):
    page = re.sub(r"base64,[\w+/=]+", "", as_html(found, TOPIC))
    assert not re.search(r"\bnan\b", page, re.IGNORECASE) and "None<" not in page
    assert page.count("<tr") == page.count("</tr>")
    if not any(result.graded for result in found):
        assert "Nobody has points yet." in page and "%<" not in page
    elif len({result.total for result in found}) == 1:
        assert page.count(">–</td>") == len(EXERCISES)


def test_five_hundred_students_in_one_readable_page():
    drawn = random.Random(0)
    found = [
        made_up(f"s{number:03}", drawn.random(), person="look" * (number % 10 == 0)) for number in range(500)
    ]
    page = as_html(found, TOPIC)
    assert len(page) < 1_000_000 and len(max(re.findall(r'alt="([^"]+)"', page), key=len)) < 1000
    assert "<summary>50 students</summary>" in page and "says little" not in page


def test_nobody_graded_is_one_sentence(tmp_path):
    course = Course.made(tmp_path / "course")
    course.release(TOPIC)
    course.folder("submitted", "ada", TOPIC).mkdir(parents=True)
    for write in (write_report, partial(export, kind="csv")):
        with pytest.raises(CourseError, match="autograder grade masks"):
            write(course, TOPIC)


def test_page_fits_any_screen_and_asks_nobody(browser, tmp_path):
    long = made_up("x" * 300, 0.3, person="y" * 400, repairs=("z" * 400,))
    (tmp_path / "page.html").write_text(as_html([*CLASS, long], TOPIC), encoding="utf-8")
    for scheme, width in (("light", 1200), ("dark", 1200), ("light", 380), ("dark", 380)):
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
        page = context.new_page()
        _looks_right(page, (tmp_path / "page.html").as_uri(), scheme, width)
        assert page.evaluate("document.images.length") == 4
        context.close()


def test_in_a_browser(sample, browser):
    for scheme, width in (("light", 1000), ("dark", 1000), ("light", 380)):
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
        for path in ("report/masks.html", "feedback/zanele/masks/03_masks.html"):
            _looks_right(context.new_page(), (sample.path / path).as_uri(), scheme, width)
        context.close()
    assert (sample.path / "report" / "masks.png").read_bytes().startswith(b"\x89PNG")


def _looks_right(page, url: str, scheme: str, width: int) -> None:
    """It asks nobody, complains of nothing, is no wider than the screen, and as light or dark as wanted."""
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(url)
    assert [url for url in asked if not url.startswith(("data:", "file:"))] == []
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    style = page.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
    ink, paper = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in style)
    assert abs(ink - paper) > 400 and (paper < 200) == (scheme == "dark")
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 100)")
