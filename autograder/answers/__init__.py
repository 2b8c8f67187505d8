"""Right answers written in other ways: proof that the checks accept them, and a class to grade."""

import importlib
from collections.abc import Callable


def ways_of(topic: str) -> dict[str, dict[str, Callable]]:
    """Other right ways of each exercise of a topic: `ways_of("masks")["causal_mask"]["with_tril"]`."""
    module = importlib.import_module(f"autograder.answers.{topic}")
    found = [value for value in vars(module).values() if isinstance(value, type)]
    return {
        ways.answers: {name: way for name, way in vars(ways).items() if callable(way)}
        for ways in found
        if hasattr(ways, "answers")
    }
