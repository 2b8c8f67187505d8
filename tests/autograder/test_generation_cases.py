"""What chapter 08's checks ask does not hang on rounding: a ten-thousandth more or less changes no answer."""

from dataclasses import replace

import pytest
import torch

from autograder.exercises import exercises_of
from autograder.exercises.namespace import Made, Near
from autograder.verdict import Reference, questions


def nearly(made: Made, seed: int) -> Made:
    """The same model, with every weight changed by about a ten-thousandth of itself."""
    generator = torch.Generator().manual_seed(seed)
    changed = {
        name: weight * (1 + 1e-4 * torch.randn(weight.shape, generator=generator))
        for name, weight in made.weights.items()
    }
    return replace(made, weights=changed)


@pytest.mark.parametrize("name", ["greedy", "beam_search"])
def test_right_answers_do_not_hang_on_rounding(name):
    exercise = exercises_of("generation")[name]
    near = Near({name: exercise.reference()})
    asked = {}
    for student in range(12):
        for call in questions(exercise, Reference(exercise), f"student {student}"):
            asked[call.fingerprint] = call
    assert len(asked) > 20
    for call in asked.values():
        made, *others = call.arguments
        right = near.ask(replace(call, watched=False))
        for seed in range(3):
            moved = replace(call, arguments=(nearly(made, seed), *others), watched=False)
            found = near.ask(moved)
            assert right.error is None and torch.equal(found.value, right.value), (made.arguments, others)
