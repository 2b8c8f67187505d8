"""Hands in cells of every wrong shape."""

import json

STATES = ("graded", "flagged", "student fault", "unreadable")


def handed_in(notebook):
    odd = [
        None,
        5,
        "x",
        [],
        {},
        {"cell_type": 5},
        {"cell_type": "code"},
        {"cell_type": "code", "source": {"a": {"b": 1}}},
        {"cell_type": "code", "source": [[["x"]], None, 5, {"z": 1}], "metadata": [], "outputs": "x"},
        {
            "cell_type": "code",
            "source": "x",
            "metadata": {"nbgrader": [], "tags": {"a": 1}},
            "id": ["a"],
            "outputs": [None, {"data": 5}],
        },
        {
            "cell_type": "code",
            "source": "x",
            "metadata": {"nbgrader": {"grade_id": {"a": 1}}},
            "id": "b" * 10_000,
        },
    ]
    return json.dumps(
        {
            **notebook,
            "cells": [*odd, *notebook.cells],
            "nbformat": "four",
            "nbformat_minor": None,
            "metadata": 3,
        }
    ).encode()
