"""What helps a small translation model: trainings of as many steps, each with one thing changed.

    python -m companion.data.technical     # once: builds the technical pairs
    python benchmarks/recipes.py           # an hour or two of one core
    python benchmarks/recipes.py --only "larger" "nn.Transformer"

All are trained by `solutions.train_translation` with the same vocabulary, and measured on validation pairs:
the loss in nats a token, and chrF and BLEU of greedy translations. What has been measured is kept in
recipes.json, and not trained again.

larger_before.json is the log of a training of the larger model that was like the base; chapter 07 holds the
one that comes with the course against it.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path

import torch
from measuring import machine
from rich.progress import track
from torch import Tensor
from usual import Usual, copy_weights

from companion.data import files
from solutions.train_translation import MERGES, Settings, Training, model_of

HERE = Path(__file__).parent
RECORD = HERE / "recipes.json"
STEPS = 1200
BASE = Settings(d_model=128, d_ff=384, dropout=0.1, word_copies=0, warmup=400, book_copies=0)


class Consecutively(Training):
    """First technical pairs alone, and in the last third of the steps those for learners alone."""

    def epoch(self, number: int) -> list[tuple[Tensor, Tensor]]:
        whole, learners = self.pairs, self.step >= STEPS * 2 // 3
        self.pairs = [pair for pair in whole if (pair.source == "hsk") == learners]
        batches = super().epoch(number)
        self.pairs = whole
        return batches


class TorchsOwn(Training):
    """`nn.Transformer` in the same loop, with weights drawn as it draws them."""

    @staticmethod
    def build(settings: Settings, vocab_size: int) -> Usual:
        size = settings.d_model, settings.n_heads, settings.d_ff, settings.n_layers
        return Usual(vocab_size, *size, max_length=128, dropout=settings.dropout)


class FromTheSameWeights(TorchsOwn):
    """`nn.Transformer` in the same loop, which begins with the weights of ours."""

    @staticmethod
    def build(settings: Settings, vocab_size: int) -> Usual:
        ours = model_of(settings, vocab_size)
        theirs = TorchsOwn.build(settings, vocab_size)
        copy_weights(ours, theirs)
        return theirs


# A base, and each time one thing that is otherwise: how it is trained, and its settings.
RECIPES = {
    "base": (Training, BASE),
    "no subword dropout": (Training, replace(BASE, subword_dropout=0.0)),
    "no label smoothing": (Training, replace(BASE, label_smoothing=0.0)),
    "no dropout": (Training, replace(BASE, dropout=0.0)),
    "more dropout: 0.2": (Training, replace(BASE, dropout=0.2)),
    "learners' sentences once an epoch, not 4 times": (Training, replace(BASE, hsk_copies=1)),
    "technical pairs first, then learners' sentences": (Consecutively, BASE),
    "with words and their meanings": (Training, replace(BASE, word_copies=1)),
    "larger: 256 wide": (Training, replace(BASE, d_model=256, d_ff=768)),
    "nn.Transformer, its own first weights": (TorchsOwn, BASE),
    "nn.Transformer, our first weights": (FromTheSameWeights, BASE),
}
AVERAGE = "last weights, not their average"


def batches_of(training: Training) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches, epoch after epoch."""
    for number in count():
        yield from training.epoch(number)


def measured(training: Training) -> dict[str, dict]:
    """Loss, chrF and BLEU of the average on each kind of validation pairs."""
    losses, scores = training.examine()["validation"], training.test("validation")
    return {
        kind: {"loss": losses[kind], "chrF": scores[kind]["chrF"], "BLEU": scores[kind]["BLEU"]}
        for kind in losses
    }


def trained(name: str, record: dict) -> None:
    """Train by a recipe, and add what is measured to the record."""
    kind, settings = RECIPES[name]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(files.HERE / "translation" / MERGES, folder)
        training = kind(settings, Path(folder), torch.device("cpu"))
    batches, begun = batches_of(training), time.monotonic()
    for _ in track(range(STEPS), description=name):
        training.learn(*next(batches))
    seconds = round(time.monotonic() - begun)
    told = {
        "parameters": sum(parameter.numel() for parameter in training.model.parameters()),
        "seconds": seconds,
        "validation": measured(training),
    }
    record[name] = told
    if name == "base":
        training.average.load_state_dict(training.model.state_dict())
        record[AVERAGE] = {**told, "validation": measured(training)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", metavar="WORD", default=[""], help="recipes with such a word in them"
    )
    told = parser.parse_args()
    conditions = {"settings": asdict(BASE), "steps": STEPS, "machine": machine()}
    kept = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    same = kept.get("settings") == conditions["settings"] and kept.get("steps") == STEPS
    record = kept["recipes"] if same else {}
    for name in RECIPES:
        if name not in record and any(word in name for word in told.only):
            trained(name, record)
            text = json.dumps({**conditions, "recipes": record}, indent=1, ensure_ascii=False)
            RECORD.write_text(text + "\n", encoding="utf-8")
            print(name, json.dumps(record[name]["validation"]), flush=True)


if __name__ == "__main__":
    main()
