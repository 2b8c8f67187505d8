"""How the benchmarks measure: several ways in turns, in one run, and their ratios."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping

import torch


def timed(steps: Mapping[str, Callable[[], object]], repetitions: int) -> dict[str, list[float]]:
    """The seconds of each step, turn by turn; the order changes from turn to turn."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    for turn in range(repetitions):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            begun = time.perf_counter()
            steps[name]()
            seconds[name].append(time.perf_counter() - begun)
    return seconds


def ratios(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """How many times as fast ours is: the median over the turns, and the middle half of them."""
    low, median, high = statistics.quantiles([b / a for a, b in zip(ours, theirs, strict=True)], n=4)
    return {"median": round(median, 3), "low": round(low, 3), "high": round(high, 3)}


def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    return {
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
