"""nbgrader's formgrader in a real JupyterLab, used by an instructor on the graded sample class."""

import json
import os
import re
import shutil
import subprocess
import sys
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell

from autograder.course import Course
from autograder.grading import write_feedback
from autograder.results import results

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")
pytest.importorskip("jupyterlab", reason="JupyterLab is not installed.")
expect = sync_api.expect

FULL = 33
RIGHT, BLANK, READ, EXITS, HOSTILE = "aiko", "dana", "ines", "wei", "zanele"
# What nbgrader's own template loads from elsewhere, and what its page says where it cannot.
FROM_CDN = {"https://cdnjs.cloudflare.com/ajax/libs/mathjax/2.7.7/latest.js?config=TeX-AMS_CHTML-full,Safe"}
WITHOUT_CDN = {"MathJax is not defined"}
SCRIPT = "<script>window.pwned = 1</script>"
TAGS = (
    f"{SCRIPT}<img src=x onerror=\"window.pwned = 2; alert('pwned')\"><svg onload='window.pwned = 3'></svg>"
    "<iframe srcdoc='<script>parent.pwned = 4</script>'></iframe>"
)


@pytest.fixture(scope="module")
def course(sample, tmp_path_factory):
    """A copy of the graded class, in which one student has a name."""
    course = Course(tmp_path_factory.mktemp("formgrader") / "course")
    shutil.copytree(sample.path, course.path)
    with course.config_file.open("a") as config:
        config.write(f"\nc.Exchange.root = {str(course.path.parent / 'exchange')!r}\n")
    (course.path.parent / "exchange").mkdir(mode=0o777)
    with course.gradebook() as gradebook:
        gradebook.update_or_create_student(READ, first_name="Inés", last_name="Ruiz")
    return course


@pytest.fixture(scope="module")
def server(course):
    """A JupyterLab started in the course directory, as it comes with nbgrader: process, address and token."""
    home = course.path.parent / "home"
    names = "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"
    environment = os.environ | {name: str(home / name.lower()) for name in names}
    options = ["--no-browser", "--allow-root", "--port=0"]
    home.mkdir()
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=course.path,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process, *address(process, home)
    finally:
        process.terminate()
        process.wait(timeout=20)


def address(process, home, seconds=40):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        for file in (home / "jupyter_runtime_dir").glob("jpserver-*.json"):
            if text := file.read_text():
                told = json.loads(text)
                return told["url"], told["token"]
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start: {(home / 'log').read_text()[-2000:]}")


@pytest.fixture(scope="module")
def logged_in(browser, server):
    """A browser that the server knows, and that reaches no other host."""
    _, url, token = server
    context = browser.new_context(base_url=url, viewport={"width": 1300, "height": 900})
    context.set_default_timeout(30_000)
    context.elsewhere = set()

    def refuse(route):
        context.elsewhere.add(route.request.url)
        route.abort()

    context.route(lambda address: address.startswith("http") and not address.startswith(url), refuse)
    page = context.new_page()
    page.goto(f"lab?token={token}", wait_until="commit")
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(logged_in):
    """A page on which nothing may fail, no dialog may appear and nothing may be asked from other hosts."""
    page, errors, dialogs = logged_in.new_page(), [], []
    page.on("pageerror", lambda error: errors.append(error.message))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    yield page
    page.close()
    assert dialogs == []
    assert set(errors) <= WITHOUT_CDN
    assert logged_in.elsewhere <= FROM_CDN


def row(page, student):
    return page.locator("#main-table tr").filter(has=page.locator(f"td.student-id[data-order={student}]"))


def submission(course, student):
    """The address of a student's page in formgrader."""
    with course.gradebook() as gradebook:
        notebook = gradebook.find_submission_notebook("03_masks", "masks", student)
        return f"formgrader/submissions/{notebook.id}/"


def press(page, student, button):
    """Press a button in a student's row, and wait for nbgrader's word that it went well."""
    page.goto("formgrader/manage_submissions/masks")
    row(page, student).locator(f".{button} a").click()
    expect(page.locator(".modal-title")).to_have_text("Success", timeout=90_000)
    page.locator(".modal-footer button").click()
    expect(page.locator(".modal")).to_have_count(0)


def hand_in(course, student, change):
    """Hand in anew what a student did whose answers are all right, with a change."""
    notebook = nbformat.read(course.notebook("submitted", RIGHT, "masks"), as_version=4)
    change(notebook)
    nbformat.write(notebook, course.notebook("submitted", student, "masks"))


def answer(notebook, exercise):
    """The cell with the answer to an exercise."""
    return next(
        cell
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id") == f"masks-{exercise}"
    )


def test_formgrader_opens_from_the_menu_of_jupyterlab_and_counts_what_was_handed_in(page):
    page.goto("lab")
    page.get_by_role("menuitem", name="Nbgrader").click()
    page.get_by_role("menuitem", name="Formgrader", exact=True).click()
    formgrader = page.frame_locator("iframe[src*=formgrader]")
    masks = formgrader.locator("#main-table tr").filter(has_text="masks")
    expect(masks.locator(".num-submissions")).to_have_text("24")
    masks.locator(".num-submissions a").press("Enter")
    expect(formgrader.locator("td.student-id")).to_have_count(24)


def test_scores_are_those_of_the_results(page, sample):
    page.goto("formgrader/manage_submissions/masks")
    expect(page.locator("td.student-id")).to_have_count(24)
    shown = dict(
        zip(*(page.locator(f"td.{name}").all_inner_texts() for name in ("student-id", "score")), strict=True)
    )
    unchanged = [
        result for result in results(sample, "masks") if result.student not in (READ, EXITS, HOSTILE)
    ]
    assert {result.student: f"{result.total:g} / {FULL}" for result in unchanged}.items() <= shown.items()
    assert shown[RIGHT] == "33 / 33"
    assert shown[BLANK] == "0 / 33"
    assert len(set(shown.values())) > 5
    expect(row(page, RIGHT).locator(".status")).to_have_text("graded")


def test_students_have_their_ids_and_names_where_there_are_some(page):
    page.goto("formgrader/manage_students")
    students = page.locator("#main-table tr")
    expect(students).to_have_count(24)
    expect(students.filter(has_text=READ).locator("td").first).to_have_text("Ruiz, Inés")
    expect(students.filter(has_text=BLANK).locator("td").nth(1)).to_have_text(BLANK)


def test_a_comment_and_points_given_by_hand_reach_the_gradebook_and_the_student(page, course):
    before = {result.student: result for result in results(course, "masks")}[READ]
    assert before.points["prefix_mask"] == 1
    page.goto("formgrader/gradebook/masks")
    page.get_by_role("link", name="03_masks").click()
    expect(page.locator("#main-table .name a.name-hidden")).to_have_count(24)
    page.get_by_role("button", name="Show All Names").click()
    page.get_by_role("link", name="Ruiz, Inés").click()

    handed_in = nbformat.read(course.notebook("submitted", READ, "masks"), as_version=4)
    answered = page.locator(".code_cell").filter(has=page.locator("#masks-prefix_mask-comment"))
    expect(answered.locator(".highlight")).to_have_text(answer(handed_in, "prefix_mask").source)
    graded = page.locator(".code_cell").filter(has=page.locator("#masks-prefix_mask-tests"))
    expect(graded.locator(".output_html")).to_contain_text("prefix_mask: 1 of 6 points")
    expect(graded.locator(".output_html")).to_contain_text(before.feedback["prefix_mask"].sentences[0])
    expect(graded.locator(".output_html li")).to_have_count(
        len(before.feedback["prefix_mask"].verdict.findings)
    )
    score, extra = (
        page.locator("#masks-prefix_mask-tests"),
        page.locator("#masks-masked_softmax-tests_extra_credit"),
    )
    expect(score).to_have_attribute("placeholder", "1")
    expect(answered.locator("textarea")).to_have_attribute("placeholder", re.compile("Type any comments"))

    for box, text in (
        (answered.locator("textarea"), "The blocks <b>should</b> overlap & touch."),
        (score, "4.5"),
        (extra, "2"),
    ):
        with page.expect_response(lambda response: response.request.method == "PUT") as saved:
            box.fill(text)
            box.blur()
        assert saved.value.ok
    page.reload()
    expect(score).to_have_value("4.5")
    expect(answered.locator("textarea")).to_have_value("The blocks <b>should</b> overlap & touch.")

    after = {result.student: result for result in results(course, "masks")}[READ]
    changed = {"prefix_mask": 4.5, "masked_softmax": before.points["masked_softmax"] + 2}
    assert after.points == before.points | changed
    assert after.total == before.total + 3.5 + 2

    pages = dict(write_feedback(course, "masks"))
    page.goto(pages[READ].as_uri())
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{after.total:g} of 33 points")
    section = page.locator("section#prefix_mask")
    expect(section.get_by_role("heading")).to_contain_text("4.5 of 6")
    expect(section).to_contain_text("The blocks <b>should</b> overlap & touch.")
    page.goto(pages[RIGHT].as_uri())
    expect(page.get_by_text("A person adds")).to_have_count(0)


def test_the_buttons_grade_behind_the_wall_and_write_feedback(page, course, server):
    def ends_its_process(notebook):
        answer(
            notebook, "masked_softmax"
        ).source = "import os\n\ndef masked_softmax(scores, mask):\n    os._exit(0)\n"

    hand_in(course, EXITS, ends_its_process)
    press(page, EXITS, "autograde")
    expect(row(page, EXITS).locator(".score")).to_have_text("25 / 33")
    press(page, EXITS, "generate-feedback")
    told = course.notebook("feedback", EXITS, "masks", ".html").read_text()
    assert "25 of 33 points" in told
    assert "BEGIN HIDDEN" not in told
    assert server[0].poll() is None
    mended = {result.student: result for result in results(course, "masks")}[EXITS]
    assert mended.total == 25
    assert mended.points["masked_softmax"] == 0
    assert mended.state == "student fault"


def test_no_script_of_a_student_runs(page, course):
    def full_of_scripts(notebook):
        shown = new_code_cell("1 + 1", id="shown")
        data = {"text/html": TAGS, "application/javascript": "window.pwned = 5", "text/markdown": TAGS}
        shown.outputs = [new_output("display_data", data)]
        raw = new_raw_cell(TAGS, metadata={"raw_mimetype": "text/html"}, id="raw")
        link = '[a link](javascript:window.pwned=6) <span id="masks-causal_mask-tests">taken</span>'
        texts = f"A word of mine {TAGS}\n\n{link}", "```\n\n" + TAGS, "![pasted](attachment:lost.png)"
        notes = [new_markdown_cell(text, id=f"note{index}") for index, text in enumerate(texts)]
        notebook.cells[1:1] = [*notes, shown, raw]
        cell = answer(notebook, "causal_mask")
        cell.source += f"\n\nprint({TAGS!r})  # {SCRIPT}"
        cell.outputs = [new_output("display_data", data)]

    hand_in(course, HOSTILE, full_of_scripts)
    press(page, HOSTILE, "autograde")
    expect(row(page, HOSTILE).locator(".score")).to_have_text("33 / 33")
    page.goto(submission(course, HOSTILE))
    first_score = page.locator("input.score").first
    expect(first_score).to_have_attribute("placeholder", "3")  # what formgrader's own scripts write there
    expect(page.get_by_text("A word of mine")).to_be_visible()
    assert page.evaluate("window.pwned") is None
    shown = page.locator(".panel-body #notebook").first
    expect(shown.locator("script, iframe, [onerror], [onload], a[href^=javascript]")).to_have_count(0)


def test_nothing_is_wrong_with_the_configuration(server, course, page):
    page.goto("formgrader/manage_assignments")
    log = (course.path.parent / "home" / "log").read_text()
    assert "nbgrader.server_extensions.formgrader | extension was successfully loaded" in log
    assert not re.search("Unwritable directory|Traceback", log)
    ignored = set(re.findall(r"Config option `(\w+)` not recognized", log))
    assert ignored <= {"display_data_priority"}  # nbconvert's own
