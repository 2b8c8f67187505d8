"""The figures of the proof, counted while it runs and printed at its end."""

import collections
import json

import pytest


@pytest.fixture
def figures(request):
    return request.config.stash.setdefault(FIGURES, collections.Counter())


FIGURES = pytest.StashKey[collections.Counter]()


def pytest_sessionfinish(session):
    """Under pytest-xdist each worker hands its figures to the one that prints."""
    if hasattr(session.config, "workeroutput"):
        counted = session.config.stash.get(FIGURES, collections.Counter())
        session.config.workeroutput["figures"] = json.dumps(counted)


def pytest_testnodedown(node):
    counted = json.loads(getattr(node, "workeroutput", {}).get("figures", "{}"))
    node.config.stash.setdefault(FIGURES, collections.Counter()).update(counted)


def pytest_terminal_summary(terminalreporter, config):
    for what, count in sorted(config.stash.get(FIGURES, {}).items()):
        terminalreporter.write_line(f"{count:5} {what}")
