"""Train the translation model that comes with the course.

    python -m companion.data.technical      # once: builds the technical pairs
    python -m solutions.train_translation   # hours on a CPU

A smaller one, of the sentences for learners and their words alone, in a
folder of its own:

    python -m solutions.train_translation --pairs hsk --folder small --epochs 9

Ctrl-C ends the step that is being taken and writes a checkpoint. It may be
stopped by force, too, at any time: the same command goes on from the last
checkpoint and ends with the same weights as if nothing had happened.
"""

import argparse
import json
import os
import platform
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import torch
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from sacrebleu.metrics import BLEU, CHRF
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from companion.data import DataError, translation_pairs
from companion.data.files import cache
from companion.data.pairs import Pair
from solutions.tokens import (
    WORD,
    Tokenizer,
    merge_pair,
    pad_batch,
    split_words,
    train_bpe,
)
from solutions.transformer import (
    Example,
    Transformer,
    length_batches,
    translate,
    translation_loss,
    warmup_schedule,
)

SHOWN = (
    "我是一名工程师。",
    "我父亲是工程师。",
    "你今天想吃什么？",
    "请先保存文件。",
)
TESTED = 300  # test pairs of each kind, at most
# On a CPU, the fused attention is slow in bfloat16 for texts as short as ours.
ATTENTION = {
    "cpu": SDPBackend.MATH,
    "cuda": [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH],
}
# The sentence of the book, which is in neither kind of pairs.
BOOK = [
    Pair("我是一名工程师", "I am an engineer", "book"),
    Pair("我是一名工程师。", "I am an engineer.", "book"),
]
STATE = "state.safetensors"
MERGES, LOG = "merges.txt", "log.json"


@dataclass(frozen=True)
class Settings:
    """All that decides what is learned."""

    pairs: str = "all"
    seed: int = 0
    n_merges: int = 4000
    d_model: int = 256
    n_heads: int = 4
    d_ff: int = 768
    n_layers: int = 3
    dropout: float = 0.2
    label_smoothing: float = 0.1
    subword_dropout: float = 0.1
    exact_epoch: int = 17
    hsk_copies: int = 4
    word_copies: int = 1
    book_copies: int = 8
    book_epoch: int = 10
    n_tokens: int = 3000
    warmup: int = 1000
    averaged: float = 0.999


KINDS = {"all": ("hsk", "technical"), "hsk": ("hsk",)}
EXPLAINED = {
    "pairs": "what it learns from: hsk (for learners of Chinese) or all",
    "seed": "where all chance comes from",
    "n_merges": "merges of byte pair encoding, learned first",
    "d_model": "numbers that stand for a token",
    "n_heads": "attention heads",
    "d_ff": "numbers inside the feed-forward network",
    "n_layers": "layers of the encoder, and of the decoder",
    "dropout": "share of the numbers dropped in training",
    "label_smoothing": "share of the probability wanted everywhere",
    "subword_dropout": "share of the merges left out by chance",
    "exact_epoch": "the epoch from which on no merge is left out",
    "hsk_copies": "how often an epoch has each sentence for learners",
    "word_copies": "how often it has each of their words, and its meaning",
    "book_copies": "how often an epoch has the sentence of the book",
    "book_epoch": "the epoch in which that sentence joins the others",
    "n_tokens": "tokens of a batch, about",
    "warmup": "steps until the learning rate is highest",
    "averaged": "how slowly the averaged weights follow",
}


def model_of(settings: Settings, vocab_size: int) -> Transformer:
    """The model that these settings describe, with random weights."""
    return Transformer(
        vocab_size,
        settings.d_model,
        settings.n_heads,
        settings.d_ff,
        settings.n_layers,
        max_length=128,
        dropout=settings.dropout,
    )


class SubwordSampler:
    """Encodes a text in another way each time: merges are left out by chance.

    Of each word, up to `variants` ways are made and then drawn from.
    Source: Provilkov et al. 2020; here pairs are left out, not occurrences.
    """

    def __init__(self, tokenizer: Tokenizer, rate: float, variants: int = 8):
        self.tokenizer, self.rate = tokenizer, rate
        self.variants = variants if rate else 1
        self.known: dict[tuple[str, int], list[int]] = {}

    def encode(self, text: str, chance: random.Random) -> list[int]:
        """The ids of one way to write a text."""
        ids = []
        for word in WORD.findall(text):
            way = word, chance.randrange(self.variants)
            if way not in self.known:
                self.known[way] = self._written(*way)
            ids += self.known[way]
        return ids

    def _written(self, word: str, variant: int) -> list[int]:
        chance = random.Random(f"{variant} {word}")
        merges = self.tokenizer.merges
        (symbols,) = split_words(word)
        tokens = tuple(symbols)
        while True:
            kept = [
                pair
                for pair in dict.fromkeys(pairwise(tokens))
                if pair in merges and chance.random() >= self.rate
            ]
            if not kept:
                return [self.tokenizer.ids[token] for token in tokens]
            tokens = merge_pair(tokens, min(kept, key=merges.__getitem__))


def examples_of(
    pairs: list[Pair], sampler: SubwordSampler, chance: random.Random
) -> list[Example]:
    """Ids of the Chinese and of the English, which ends with its symbol."""
    end_id = sampler.tokenizer.end_id
    return [
        (
            sampler.encode(pair.chinese, chance),
            [*sampler.encode(pair.english, chance), end_id],
        )
        for pair in pairs
    ]


def halves(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 by itself; others are slower."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.cpu._is_avx512_bf16_supported()


class Training:
    """The model, its optimizer and its average, and the step they are at."""

    build = staticmethod(model_of)

    def __init__(self, settings: Settings, folder: Path, device: torch.device):
        self.settings, self.folder, self.device = settings, folder, device
        self.pairs = translation_pairs(
            settings.pairs, "train", words=settings.word_copies > 0
        )
        self.validation = {
            source: translation_pairs(source, "validation")
            for source in KINDS[settings.pairs]
        }
        self.tokenizer = Tokenizer(self._merges())
        self.sampler = SubwordSampler(self.tokenizer, settings.subword_dropout)
        self.exact = SubwordSampler(self.tokenizer, 0.0)
        torch.manual_seed(settings.seed)
        self.model = self.build(settings, len(self.tokenizer)).to(device)
        self.average = self.build(settings, len(self.tokenizer)).to(device)
        self.average.load_state_dict(self.model.state_dict())
        self.average.eval()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=0.0,
            betas=(0.9, 0.98),
            eps=1e-9,
            weight_decay=0.0,
            fused=True,
        )
        self.step, self.seconds, self.log = 0, 0.0, []
        self.epochs_done, self.steps_done = 0, 0  # whole epochs
        self.losses: list[float] = []  # of the epoch that is not done yet
        if (folder / STATE).is_file():
            self._resume()

    def epoch(self, number: int) -> list[tuple[Tensor, Tensor]]:
        """The batches of an epoch, the same whenever they are asked for."""
        chance = random.Random(f"{self.settings.seed} {number}")
        generator = torch.Generator().manual_seed(chance.getrandbits(60))
        often = {
            "hsk": self.settings.hsk_copies,
            "words": self.settings.word_copies,
        }
        copies = [
            pair
            for pair in self.pairs
            for _ in range(often.get(pair.source, 1))
        ]
        if number + 1 >= self.settings.book_epoch:
            copies += self.settings.book_copies * BOOK
        exact = number + 1 >= self.settings.exact_epoch
        sampler = self.exact if exact else self.sampler
        examples = examples_of(copies, sampler, chance)
        n_tokens = self.settings.n_tokens
        pad_id = self.tokenizer.pad_id
        return [*length_batches(examples, n_tokens, pad_id, generator)]

    def learn(self, source_ids: Tensor, target_ids: Tensor) -> float:
        """Take one step, and say its loss."""
        settings, device = self.settings, self.device
        self.step += 1
        torch.manual_seed(settings.seed * 10_000_019 + self.step)  # dropout
        self.model.train()
        rate = warmup_schedule(self.step, settings.d_model, settings.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with (
            torch.autocast(device.type, torch.bfloat16, halves(device)),
            sdpa_kernel(ATTENTION[device.type]),
        ):
            loss = translation_loss(
                self.model,
                source_ids.to(device),
                target_ids.to(device),
                self.tokenizer.begin_id,
                settings.label_smoothing,
            )
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        share = 1 - min(settings.averaged, self.step / (self.step + 100))
        with torch.no_grad():
            torch._foreach_lerp_(
                [*self.average.parameters()], [*self.model.parameters()], share
            )
        return loss.item()

    @torch.no_grad()
    def examine(self) -> dict:
        """Losses in nats a token on both kinds of pairs, and examples."""
        losses = {}
        for source, pairs in self.validation.items():
            examples = examples_of(pairs[:1000], self.exact, random.Random(0))
            total = tokens = 0
            generator = torch.Generator().manual_seed(0)
            for batch in length_batches(
                examples, self.settings.n_tokens, 0, generator
            ):
                source_ids, target_ids = (ids.to(self.device) for ids in batch)
                real = int((target_ids != 0).sum())
                begin_id = self.tokenizer.begin_id
                total += real * translation_loss(
                    self.average, source_ids, target_ids, begin_id
                )
                tokens += real
            losses[source] = round(float(total) / tokens, 4)
        return {"validation": losses, "examples": self.translations(SHOWN)}

    def test(self, split: str = "test") -> dict[str, dict]:
        """chrF and BLEU on held-out pairs of each kind, with greedy choices.

        And the best, the middle and the worst translation by chrF, each with
        its score, as it was wanted and as it was written.
        """
        chrf, bleu, found = CHRF(), BLEU(), {}
        for source in KINDS[self.settings.pairs]:
            pairs = translation_pairs(source, split)[:TESTED]
            english = self.translations([pair.chinese for pair in pairs])
            written = [english[pair.chinese] for pair in pairs]
            wanted = [pair.english for pair in pairs]
            ranked = sorted(
                [round(chrf.sentence_score(ours, [text]).score, 1), text, ours]
                for text, ours in zip(wanted, written, strict=True)
            )
            found[source] = {
                "pairs": len(pairs),
                "chrF": round(chrf.corpus_score(written, [wanted]).score, 1),
                "BLEU": round(bleu.corpus_score(written, [wanted]).score, 1),
                "examples": [ranked[-1], ranked[len(ranked) // 2], ranked[0]],
            }
        return found

    def translations(self, sentences: Sequence[str]) -> dict[str, str]:
        """What the average makes of some sentences, greedily."""
        tokenizer, found = self.tokenizer, {}
        by_length = sorted(sentences, key=len)
        for start in range(0, len(by_length), 50):
            some = by_length[start : start + 50]
            source_ids = pad_batch([*map(tokenizer.encode, some)], 0)
            written = translate(
                self.average,
                source_ids.to(self.device),
                tokenizer.begin_id,
                tokenizer.end_id,
                max_length=60,
            )
            english = map(tokenizer.decode, written.tolist())
            found |= zip(some, english, strict=True)
        return {sentence: found[sentence] for sentence in sentences}

    def save(self) -> None:
        """Write the whole state, wholly or not at all."""
        tensors = {
            f"{kind}.{name}": tensor
            for kind, model in (
                ("model", self.model),
                ("average", self.average),
            )
            for name, tensor in model.state_dict().items()
        }
        for (name, _), state in zip(
            self.model.named_parameters(),
            self.optimizer.state_dict()["state"].values(),
            strict=True,
        ):
            tensors |= {f"{key}.{name}": value for key, value in state.items()}
        told = {
            "settings": asdict(self.settings),
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "epochs done": self.epochs_done,
            "steps done": self.steps_done,
            "losses": self.losses,
            "log": self.log,
        }
        unfinished = self.folder / f"{STATE}.unfinished"
        save_file(tensors, unfinished, {"training": json.dumps(told)})
        os.replace(unfinished, self.folder / STATE)

    def _resume(self) -> None:
        with safe_open(self.folder / STATE, "pt", str(self.device)) as file:
            told = json.loads(file.metadata()["training"])
            settings = asdict(Settings()) | told["settings"]
            if settings != asdict(self.settings):
                raise DataError(
                    f"{self.folder} holds a training with other settings: "
                    f"choose another --folder, or remove this one"
                )
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
        for kind, model in (("model", self.model), ("average", self.average)):
            names = model.state_dict()
            model.load_state_dict(
                {name: tensors[f"{kind}.{name}"] for name in names}
            )
        keys = ("step", "exp_avg", "exp_avg_sq")
        whole = self.optimizer.state_dict()
        whole["state"] = {
            number: {key: tensors[f"{key}.{name}"] for key in keys}
            for number, (name, _) in enumerate(self.model.named_parameters())
        }
        self.optimizer.load_state_dict(whole)
        self.step, self.seconds = told["step"], told["seconds"]
        self.epochs_done = told["epochs done"]
        self.steps_done = told["steps done"]
        self.losses = told.get("losses", [])
        self.log = told["log"]

    def _merges(self) -> dict[tuple[str, str], int]:
        """The merges of this training, learned where there are none yet."""
        path = self.folder / MERGES
        if not path.is_file():
            print("learning the vocabulary: about a minute", file=sys.stderr)
            sentences = [p for p in self.pairs if p.source != "words"]
            text = "\n".join(f"{p.chinese}\n{p.english}" for p in sentences)
            merges = train_bpe(text, self.settings.n_merges)
            unfinished = path.with_suffix(".unfinished")
            lines = "".join(f"{left} {right}\n" for left, right in merges)
            unfinished.write_text(lines, encoding="utf-8")
            os.replace(unfinished, path)
        lines = path.read_text(encoding="utf-8").splitlines()
        return {tuple(line.split(" ")): n for n, line in enumerate(lines)}


@contextmanager
def patience() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C wait for the end of a step; a second one does not.

    Yields a function that says whether there was one.
    """
    noticed = []

    def notice(number: int, frame: object) -> None:
        noticed.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, notice)
    try:
        yield lambda: bool(noticed)
    finally:
        signal.signal(signal.SIGINT, before)


def train(training: Training, epochs: int, save_every: int) -> None:
    """Go on until the last epoch, with a bar, and keep a log.

    KeyboardInterrupt after Ctrl-C, when a checkpoint has been written.
    """
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.2f}"),
        TimeRemainingColumn(),
    )
    begun = time.monotonic()

    def save() -> None:
        nonlocal begun
        now = time.monotonic()
        training.seconds, begun = training.seconds + now - begun, now
        training.save()

    with Progress(*columns) as progress, patience() as interrupted:
        task = progress.add_task("", total=None, epoch=0, loss=float("nan"))
        for epoch in range(training.epochs_done, epochs):
            batches = training.epoch(epoch)
            progress.update(
                task,
                epoch=epoch + 1,
                total=training.steps_done + len(batches) * (epochs - epoch),
            )
            for batch in batches[training.step - training.steps_done :]:
                loss = training.learn(*batch)
                training.losses.append(loss)
                progress.update(task, completed=training.step, loss=loss)
                if interrupted() or training.step % save_every == 0:
                    save()
                if interrupted():
                    raise KeyboardInterrupt
            losses = training.losses
            told = {
                "epoch": epoch + 1,
                "step": training.step,
                "seconds": round(training.seconds + time.monotonic() - begun),
                "loss": round(sum(losses) / max(1, len(losses)), 4),
                **training.examine(),
            }
            training.log.append(told)
            training.losses = []
            training.epochs_done = epoch + 1
            training.steps_done = training.step
            progress.print(json.dumps(told, ensure_ascii=False))
            save()


def export(training: Training, folder: Path) -> None:
    """Write what the course ships: average in half precision, merges, log."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: tensor.half().contiguous().cpu()
        for name, tensor in training.average.state_dict().items()
    }
    settings = asdict(training.settings)
    told = {"settings": json.dumps(settings)}
    save_file(weights, folder / "model.safetensors", told)
    (folder / MERGES).write_bytes((training.folder / MERGES).read_bytes())
    record = {
        "settings": settings,
        "machine": {
            "device": str(training.device),
            "processor": platform.machine(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
            "bfloat16": halves(training.device),
        },
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "parameters": sum(p.numel() for p in training.model.parameters()),
        "log": training.log,
        "test": training.test(),
    }
    text = json.dumps(record, ensure_ascii=False, indent=1)
    (folder / LOG).write_text(f"{text}\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """The command; 1 where data is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m solutions.train_translation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--epochs",
        type=int,
        default=26,
        help="how many in all, those done before included "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=cache() / "translation",
        help="where checkpoints are kept (default: %(default)s)",
    )
    parser.add_argument(
        "--export",
        type=Path,
        help="folder for the averaged model, its merges and its log, at the "
        "end; with --epochs of before it is written without more training",
    )
    parser.add_argument(
        "--save-every",
        type=int,
        default=200,
        help="steps between checkpoints (default: %(default)s)",
    )
    parser.add_argument(
        "--device",
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="default: a GPU where there is one",
    )
    group = parser.add_argument_group(
        "settings",
        "All that decides what is learned; others need another folder.",
    )
    for name, value in asdict(Settings()).items():
        group.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(value),
            default=value,
            help=f"{EXPLAINED[name]} (default: %(default)s)",
            choices=("hsk", "all") if name == "pairs" else None,
            metavar=None if name == "pairs" else type(value).__name__.upper(),
        )
    told = parser.parse_args(arguments)
    settings = Settings(
        **{name: getattr(told, name) for name in asdict(Settings())}
    )
    told.folder.mkdir(parents=True, exist_ok=True)
    try:
        training = Training(settings, told.folder, torch.device(told.device))
        train(training, told.epochs, told.save_every)
        if told.export:
            export(training, told.export)
    except (DataError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"Stopped: the same command goes on from {told.folder}",
            file=sys.stderr,
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
