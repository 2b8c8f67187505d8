"""The proof of the checks: known mistakes are caught and named, right answers in any style pass.

Every test runs for every topic there is, so that a new chapter is proved by being there.
The figures are printed at the end of a run (see tests/conftest.py).
"""

import ast
import functools
import json
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from autograder import verdict
from autograder.answers import ways_of
from autograder.chapters import chapter_paths, read_chapter
from autograder.exercises import exercises_of
from autograder.exercises.namespace import Near
from autograder.verdict import Reference, judge

TOPICS = [path.stem[3:] for path in chapter_paths()]
EXERCISES = [exercise for topic in TOPICS for exercise in exercises_of(topic).values()]
MISTAKES = [(exercise, mistake) for exercise in EXERCISES for mistake in exercise.mistakes]
WAYS = [
    (exercise, name, way)
    for topic in TOPICS
    for exercise in exercises_of(topic).values()
    for name, way in ways_of(topic)[exercise.name].items()
]
STRANGERS = [
    (topic, exercise, json.loads(path.read_text(encoding="utf-8")))
    for topic in TOPICS
    if (path := Path(__file__).parent / "strangers" / f"{topic}.json").exists()
    for exercise in exercises_of(topic).values()
]


@pytest.fixture
def seeds(request) -> list[str]:
    """What random inputs are drawn from: in a course, the seeds of students and submissions."""
    return [f"seed {number}" for number in range(request.config.getoption("seeds"))]


@functools.lru_cache(maxsize=128)
def right(exercise, seed) -> Reference:
    """The right answers to what an exercise asks with this seed, each worked out once."""
    return Reference(exercise)


def judged(exercise, namespace, seed):
    """The verdict on an answer, the right answers being worked out once for all answers."""
    return judge(exercise, namespace, seed, right(exercise, seed))


@pytest.fixture
def remembering(monkeypatch):
    """What a known mistake gives is worked out once for all answers to an exercise."""
    work_out, given = verdict.ours, {}

    def remembered(exercise, implementation, call):
        key = implementation, call.fingerprint
        if key not in given:
            given[key] = work_out(exercise, implementation, call)
        return given[key]

    monkeypatch.setattr(verdict, "ours", remembered)


def name_of(value):
    return getattr(value, "__name__", None) or getattr(value, "name", None) or str(value)


def short(value):
    return "answers" if isinstance(value, dict) else name_of(value)


def near(exercise, implementation):
    return Near({exercise.name: implementation})


def under_its_name(exercise, implementation):
    """An implementation as a student has it: a class is called as the exercise says."""
    if isinstance(implementation, type):
        return type(exercise.name, (implementation,), {})
    return implementation


def stranger(exercise, code):
    """The namespace of somebody who wrote this code and has all other answers right."""
    names = {"torch": torch, **vars(exercise.solutions)}
    del names[exercise.name]
    exec(code, names)
    return Near(names)


@pytest.mark.parametrize("exercise", EXERCISES, ids=name_of)
def test_the_reference_gets_everything(exercise, seeds):
    for seed in seeds:
        assert judged(exercise, near(exercise, exercise.reference()), seed).passed


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=name_of)
def test_a_known_mistake_is_caught_and_named_as_itself(exercise, mistake, seeds, figures):
    for seed in seeds:
        verdict = judged(exercise, near(exercise, under_its_name(exercise, mistake.implementation)), seed)
        wrong = [finding.behaviour for finding in verdict.findings if not finding.points]
        assert mistake.breaks.title in wrong, seed
        assert verdict.mistake == mistake.name, seed
        assert verdict.sentence == mistake.sentence
    figures["known mistakes caught and named"] += 1


@pytest.mark.parametrize(("exercise", "name", "way"), WAYS, ids=name_of)
def test_another_right_way_gets_everything(exercise, name, way, seeds, figures):
    for seed in seeds:
        verdict = judged(exercise, near(exercise, way), seed)
        assert verdict.passed, (seed, verdict.first_wrong)
    figures["other right ways accepted"] += 1


@pytest.mark.parametrize("exercise", EXERCISES, ids=name_of)
def test_the_catalogue_is_rich_enough(exercise):
    ways = next(found for topic in TOPICS if (found := ways_of(topic).get(exercise.name)))
    assert len(exercise.mistakes) >= 5
    assert len(ways) >= 4
    sentences = [mistake.sentence for mistake in exercise.mistakes]
    assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize(("topic", "exercise", "answers"), STRANGERS, ids=short)
def test_right_answers_of_strangers_get_everything(topic, exercise, answers, seeds, figures):
    """Answers written by people who never saw the checks."""
    for code in answers["right"][exercise.name]:
        for seed in seeds:
            verdict = judged(exercise, stranger(exercise, code), seed)
            assert verdict.passed, f"{seed}: {verdict.first_wrong}\n{code}"
        figures["strangers' right answers accepted"] += 1


# Wrong only in ways that no exercise forbids, or beyond any input that a check should spend time on.
FORGIVEN = {
    "subtle: one shared cached tensor, a caller's edit poisons later calls",
    "subtle: bool dtype via uint8 cumsum, wraps at 256",
    "subtle: float16 positions, wrong beyond 2048",
    "subtle: exp(scores - logsumexp(scores)): the log of the sum is rounded away for scores far from 0",
}


# PyTorch's attention, asked for keys and values of unlike lengths, writes behind its memory: what is left of
# the process is tried in `tests/grading/hostile/values_of_another_length.py`.
HARMFUL = {"keys from x, values from the memory"}


@pytest.mark.usefixtures("remembering")
@pytest.mark.parametrize(("topic", "exercise", "answers"), STRANGERS, ids=short)
def test_wrong_answers_of_strangers_are_caught(topic, exercise, answers, seeds, figures):
    harmless = [(label, code) for label, code in answers["wrong"][exercise.name] if label not in HARMFUL]
    for label, code in harmless:
        for seed in seeds:
            verdict = judged(exercise, stranger(exercise, code), seed)
            assert verdict.passed == (label in FORGIVEN), (label, seed)
        figures["strangers' wrong answers caught"] += not verdict.passed


def test_one_answer_shared_with_a_known_mistake_by_accident_does_not_name_it(seeds):
    """`words_once` counts every word once; this one, only the word in which it meets a pair first."""
    code = """
def count_pairs(words):
    counts = {}
    for word, times in words.items():
        for pair in zip(word, word[1:]):
            counts[pair] = counts[pair] + times if pair in counts else 1
    return counts
"""
    exercise = exercises_of("tokens")["count_pairs"]
    for seed in seeds:
        verdict = judged(exercise, stranger(exercise, code), seed)
        assert not verdict.passed and not verdict.mistake, verdict.sentence


def test_a_made_model_is_asked_once_for_all_students(monkeypatch):
    asked = []

    class Counting(Near):
        def ask(self, call):
            asked.append(call)
            return super().ask(call)

    exercise = exercises_of("generation")["greedy"]
    wrong = near(exercise, next(m for m in exercise.mistakes if m.name == "never_ends").implementation)
    verdicts = [judge(exercise, wrong, "one")]
    monkeypatch.setattr(verdict, "Near", Counting)
    for most in (2048, 3):
        monkeypatch.setattr(verdict, "MOST_REMEMBERED", most)
        monkeypatch.setattr(verdict, "REMEMBERED", OrderedDict())
        judge(exercise, wrong, "one")
        asked.clear()
        verdicts.append(judge(exercise, wrong, "one"))
        forgotten = [call for call in asked if not call.elsewhere]
        assert bool(forgotten) == (most == 3)
        assert len(verdict.REMEMBERED) <= most
    assert verdicts[0] == verdicts[1] == verdicts[2]


def nothing_like(value):
    """A value of the same kind that says nothing: zeros, an empty list, no text."""
    if isinstance(value, torch.Tensor):
        return torch.zeros_like(value)
    if isinstance(value, tuple) and any(isinstance(item, torch.Tensor) for item in value):
        return tuple(map(nothing_like, value))
    return type(value)()


def saying_nothing(reference):
    """The reference, whose answers are of the right kind and say nothing."""
    if not isinstance(reference, type):
        return lambda *arguments, **keywords: nothing_like(reference(*arguments, **keywords))

    class Nothing(reference):
        pass

    module = issubclass(reference, torch.nn.Module)
    for name in ["forward"] if module else [name for name in vars(reference) if not name.startswith("_")]:
        method = getattr(reference, name)
        setattr(Nothing, name, lambda *given, _method=method, **kw: nothing_like(_method(*given, **kw)))
    return Nothing


@pytest.mark.parametrize("exercise", EXERCISES, ids=name_of)
def test_an_answer_wrong_in_a_way_nobody_knows_gets_no_wrong_name(exercise):
    """Zeros of the right shape and type are wrong, and none of our sentences is about them."""
    verdict = judge(exercise, near(exercise, saying_nothing(exercise.reference())), "unknown")
    assert not verdict.passed
    assert verdict.sentence == ""
    assert verdict.first_wrong.message
    assert verdict.first_wrong.example


@pytest.mark.parametrize("exercise", EXERCISES, ids=name_of)
def test_the_stub_gets_nothing_and_a_friendly_sentence(exercise):
    def stub(*arguments, **keywords):
        raise NotImplementedError(f"write {exercise.name} here")

    for namespace in (near(exercise, stub), Near({})):
        verdict = judge(exercise, namespace, "blank")
        assert (verdict.points, verdict.blank, verdict.mistake) == (0, True, "")
        assert verdict.first_wrong.message in (
            f"{exercise.name} is not written yet",
            f"{exercise.name} is not defined",
        )


@pytest.mark.parametrize("exercise", EXERCISES, ids=name_of)
@pytest.mark.parametrize("error", [SystemExit, ZeroDivisionError, RecursionError], ids=name_of)
def test_an_answer_that_raises_is_wrong_not_fatal(exercise, error):
    def raising(*arguments, **keywords):
        raise error("no")

    verdict = judge(exercise, near(exercise, raising), "raising")
    assert verdict.points == 0
    assert error.__name__ in verdict.first_wrong.message


@pytest.mark.parametrize("exercise", EXERCISES, ids=name_of)
@pytest.mark.parametrize(
    "value", [None, 3.0, "mask", [[True]], {1, 2}], ids=lambda value: type(value).__name__
)
def test_an_answer_of_another_type_is_wrong_not_fatal(exercise, value):
    verdict = judge(exercise, near(exercise, lambda *arguments, **keywords: value), "type")
    assert verdict.points == 0
    assert verdict.first_wrong.message


def test_the_same_seed_gives_the_same_verdict_and_another_seed_other_inputs():
    exercise, mistake = MISTAKES[-1]
    wrong = near(exercise, mistake.implementation)
    assert judge(exercise, wrong, "a") == judge(exercise, wrong, "a")
    assert judge(exercise, wrong, "a") != judge(exercise, wrong, "b")


VISIBLE = [(chapter, task) for chapter in map(read_chapter, chapter_paths()) for task in chapter.tasks]


def failing_line(chapter, task, implementation):
    """The line of the visible tests at which an implementation fails, or None."""
    names = {"torch": torch, **vars(task.specification.solutions), task.name: implementation}
    code = compile(chapter.notebook.cells[task.tests].source, "tests", "exec")
    try:
        exec(code, names)
    except BaseException as error:
        trace = error.__traceback__
        while trace.tb_next:
            trace = trace.tb_next
        return trace.tb_lineno if isinstance(error, AssertionError) else -1
    return None


@pytest.mark.parametrize(
    ("chapter", "task"), VISIBLE, ids=lambda value: getattr(value, "name", None) or value.topic
)
def test_visible_tests_pass_right_answers_and_each_of_their_messages_is_seen(chapter, task, figures, capsys):
    exercise = task.specification
    ways = ways_of(chapter.topic)[task.name]
    for way in (exercise.reference(), *ways.values()):
        assert failing_line(chapter, task, way) is None
    seen = {failing_line(chapter, task, mistake.implementation) for mistake in exercise.mistakes}
    source = chapter.notebook.cells[task.tests].source
    asserts = [node for node in ast.parse(source).body if isinstance(node, ast.Assert)]
    unseen = [ast.unparse(node.msg) for node in asserts if node.lineno not in seen]
    assert not unseen, f"no known mistake meets {unseen}"
    caught = sum(
        failing_line(chapter, task, mistake.implementation) is not None for mistake in exercise.mistakes
    )
    figures["known mistakes caught by visible tests alone"] += caught
    figures["messages of visible tests seen"] += len(asserts)
