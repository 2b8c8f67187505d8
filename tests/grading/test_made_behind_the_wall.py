"""Who tampers with the model that a question holds gains nothing: each side of the wall makes its own."""

import pytest

from autograder.chapters import chapter_paths
from autograder.exercises import exercises_of
from autograder.sandbox.bubble import Limits, probed, zygote_of
from autograder.sandbox.visit import Visit
from autograder.verdict import Answered, Reference, judge, questions

EARLIER = {path.stem[3:] for path in chapter_paths()}
pytestmark = [
    pytest.mark.skipif(not probed().bubble, reason="Students' code cannot be walled in here."),
    pytest.mark.skipif("transformer" not in EARLIER, reason="There is no chapter on the model."),
]

UNCACHED = """
import torch

@torch.no_grad()
def greedy(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
    memory = model.encode(source_ids)
    written = torch.full_like(source_ids[:, :1], begin_id)
    running = torch.ones(len(written), dtype=torch.bool)
    for place in range(max_length):
        logits = model.head(model.decode(written, memory, source_ids)[:, -1])
        logits[:, model.pad_id] = float("-inf")
        following = logits.argmax(dim=-1).where(running, model.pad_id)
        if prefix_ids is not None and place < prefix_ids.shape[1]:
            given = prefix_ids[:, place]
            following = torch.where(given != model.pad_id, given, following)
        written = torch.cat([written, following[:, None]], dim=1)
        running &= following != end_id
        if not running.any():
            break
    return written[:, 1:]
"""
FIRST_TOKENS = """
import torch

def greedy(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
    return source_ids[:, :1]
"""
TAMPERING = {
    "another class": """
import solutions.transformer
from torch import nn

class Transformer(nn.Module):
    pad_id = 0

    def __init__(self, *given, **told):
        super().__init__()

    def named_parameters(self, *given, **told):
        return iter(())

solutions.transformer.Transformer = Transformer
""",
    "another forward": """
import solutions.transformer

solutions.transformer.Transformer.head = lambda self, states: states.new_zeros(*states.shape[:-1], 12)
solutions.transformer.Transformer.encode = lambda self, ids: 1 / 0
""",
    "another way of making": """
import autograder.exercises.namespace as namespace

namespace.Made.make = lambda self: None
""",
}


def points(*cells: str) -> int:
    """What an answer to `greedy` earns behind the wall."""
    exercise = exercises_of("generation")["greedy"]
    reference = Reference(exercise)
    asked = questions(exercise, reference, "somebody")
    with Visit(zygote_of("generation"), Limits(seconds=120, step=60)) as visit:
        list(visit.run(list(cells)))
        defined = bool(visit.defines(["greedy"]))
        answers = visit.ask(asked)
    answered = Answered("greedy", defined, zip(asked, answers, strict=True))
    return judge(exercise, answered, "somebody", reference).points


def test_a_right_answer_earns_all_of_it_with_the_earlier_solutions_alone():
    assert points(UNCACHED) == exercises_of("generation")["greedy"].points()
    reading = "from solutions.transformer import translate\n"
    assert points(reading + FIRST_TOKENS) == 0
    assert points("from solutions.generation import greedy") == 0


@pytest.mark.parametrize("way", TAMPERING)
def test_who_replaces_the_model_gains_nothing(way):
    assert points(TAMPERING[way], FIRST_TOKENS) == 0
