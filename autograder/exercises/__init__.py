"""What an answer must do: one module for each topic, found by its name."""

import importlib

from autograder.exercises.specification import Exercise


def exercises_of(topic: str) -> dict[str, type[Exercise]]:
    """The exercises of a topic by name, in the order of the chapter."""
    module = importlib.import_module(f"autograder.exercises.{topic}")
    found = [value for value in vars(module).values() if isinstance(value, type)]
    return {e.name: e for e in found if issubclass(e, Exercise) and e is not Exercise}
