"""Arguments that each side of the wall makes anew: a model with its weights, a generator with its seed."""

from dataclasses import replace

import pytest
import torch

from autograder.exercises.comparing import show_call
from autograder.exercises.namespace import Call, Foreign, Made, Near, Outcome, plain
from autograder.sandbox import wire
from solutions.transformer import Transformer

SIZES = (11, 8, 2, 16, 1, 20)


def made(seed=0):
    torch.manual_seed(seed)
    weights = {name: weight.detach().clone() for name, weight in Transformer(*SIZES).named_parameters()}
    return Made("solutions.transformer", "Transformer", SIZES, {"pad_id": 3, "dropout": 0.5}, weights)


def over_the_wire(message):
    frame = wire.pack(message)
    body, _ = wire.lengths(frame[:8])
    return wire.unpack(frame[8 : 8 + body], frame[8 + body :])


def test_a_model_is_made_with_its_weights_and_in_evaluation_mode():
    asked = made()
    model = asked.make()
    assert (model.pad_id, model.training) == (3, False)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, asked.weights[name])


def test_nobody_changes_it_for_the_next_question():
    def spoil(model, row):
        model.train()
        found = float(sum(weight.sum() for weight in model.parameters()))
        with torch.no_grad():
            for weight in model.parameters():
                weight.zero_()
        return found

    call = Call("spoil", (made(), torch.tensor([1])))
    first, second = (Near({"spoil": spoil}).ask(call) for _ in "ab")
    assert first == second
    assert first.value != 0
    watched = Near({"spoil": spoil}).ask(replace(call, watched=True))
    assert not any(weight.any() for weight in watched.arguments[0].values())


def test_it_crosses_the_wall_whole_wherever_it_stands():
    generator = Made("torch", "Generator", (7,))
    call = Call("f", (made(), [generator]), {"model": made(1), "generator": generator}, watched=True)
    found = wire.call_from_message(over_the_wire(wire.call_as_message(call)))
    assert found.fingerprint == call.fingerprint
    assert isinstance(found.arguments[0], Made) and isinstance(found.arguments[1][0], Made)
    assert found.fingerprint != replace(call, arguments=(made(2), [generator])).fingerprint


def test_an_answer_cannot_send_one():
    outcome = Outcome(value=plain(made()))
    found = wire.outcome_from_message(over_the_wire(wire.outcome_as_message(outcome)))
    assert found.value == Foreign("Made")
    forged = Outcome(value={wire.MADE: ("solutions.transformer", "Transformer", SIZES, {}, None)})
    found = wire.outcome_from_message(over_the_wire(wire.outcome_as_message(forged)))
    assert isinstance(found.value, dict)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("torch", "load"),
        ("builtins", "eval"),
        ("solutions", "x"),
        ("autograder.cli", "app"),
    ],
)
def test_nothing_else_is_made(module, name):
    with pytest.raises(ValueError, match="is not made for anybody"):
        Made(module, name, ("x",))


def test_a_generator_starts_with_its_seed_and_torchs_own_always_alike():
    def drawn(generator):
        return torch.rand(3, generator=generator), torch.rand(3)

    near = Near({"drawn": drawn})
    one, two, again = (
        near.ask(Call("drawn", (Made("torch", "Generator", (seed,)),))).value for seed in (1, 2, 1)
    )
    assert torch.equal(one[0], again[0]) and not torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])


def test_a_generator_may_have_been_used():
    near = Near({"drawn": lambda generator: torch.rand(12, generator=generator)})
    new, used = (
        near.ask(Call("drawn", (Made("torch", "Generator", (7,), keywords),))).value
        for keywords in ({}, {"drawn": 5})
    )
    assert torch.equal(used[:7], new[5:])


def test_it_is_shown_by_its_name():
    call = Call("greedy", (made(), 1), {"generator": Made("torch", "Generator", (7,))})
    assert show_call(call) == "greedy(Transformer(...), 1, generator=Generator(7))"
