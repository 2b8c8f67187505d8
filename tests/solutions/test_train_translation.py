"""The training command: killed at any moment it goes on, and ends with the weights of one that was not."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sacrebleu.metrics import CHRF
from safetensors import safe_open
from safetensors.torch import load_file

from companion.data import translation_model, translation_pairs
from solutions import train_translation
from solutions.tokens import Tokenizer, pad_batch
from solutions.train_translation import EXPLAINED, Settings, SubwordSampler, main, model_of

ROOT = Path(__file__).parents[2]
TINY = Settings(
    pairs="hsk",
    n_merges=60,
    d_model=8,
    n_heads=2,
    d_ff=8,
    n_layers=1,
    hsk_copies=1,
    word_copies=0,
    n_tokens=6000,
    warmup=20,
)
EPOCHS = 2
DYING = """
import os, signal, sys
from solutions import train_translation as command

what, number = sys.argv[1], int(sys.argv[2])
holder = command.os if what == "replace" else command.Training
whole = getattr(holder, what)

def deadly(*arguments):
    global number
    number -= 1
    if number == 0:
        os.kill(os.getpid(), signal.{signal})
    return whole(*arguments)

setattr(holder, what, deadly)
sys.exit(command.main(sys.argv[3:]))
"""


def arguments(folder, settings=TINY, *more):
    told = [f"--{name.replace('_', '-')}={value}" for name, value in vars(settings).items()]
    return [*told, f"--epochs={EPOCHS}", f"--folder={folder}", "--device=cpu", "--save-every=3", *more]


def dying(folder, what, number, sent="SIGKILL"):
    """The command, which gets a signal when it calls `what` for the given time."""
    command = [sys.executable, "-c", DYING.replace("{signal}", sent), what, str(number), *arguments(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def state(folder):
    with safe_open(folder / train_translation.STATE, "pt") as file:
        told = json.loads(file.metadata()["training"])
        return told, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that nothing interrupted, and what it has exported."""
    folder = tmp_path_factory.mktemp("whole")
    assert main(arguments(folder, TINY, f"--export={folder / 'exported'}")) == 0
    return folder


def assert_same(folder, whole):
    (told, found), (expected, wanted) = state(folder), state(whole)
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor), name
    for one, other in zip(told["log"], expected["log"], strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_killed_at_random_moments_it_ends_with_the_same_weights(whole, tmp_path):
    steps = state(whole)[0]["step"] // EPOCHS
    assert steps >= 8
    chance = random.Random()
    moments = [
        ("learn", chance.randint(1, 3)),  # before there is a checkpoint
        ("learn", chance.randint(4, steps)),
        ("replace", 1),  # a checkpoint is written, and not yet in its place
        ("examine", 1),  # the epoch is learned, and not yet counted
        ("learn", chance.randint(1, steps)),
    ]
    for moment in moments:
        assert dying(tmp_path, *moment).returncode == -signal.SIGKILL, moments
    assert main(arguments(tmp_path)) == 0
    assert_same(tmp_path, whole)


def test_after_ctrl_c_no_step_is_lost(whole, tmp_path):
    stopped = dying(tmp_path, "learn", 5, "SIGINT")
    assert stopped.returncode == 130
    assert stopped.stderr.splitlines()[-1] == f"Stopped: the same command goes on from {tmp_path}"
    assert "Traceback" not in stopped.stderr
    told, _ = state(tmp_path)
    assert told["step"] == len(told["losses"]) == 5
    assert main(arguments(tmp_path)) == 0
    assert_same(tmp_path, whole)


def test_a_checkpoint_from_before_a_setting_existed_is_taken_with_its_default(whole, monkeypatch):
    loads = json.loads

    def without(text):
        told = loads(text)
        del told["settings"]["dropout"]
        return told

    monkeypatch.setattr(train_translation.json, "loads", without)
    assert main(arguments(whole)) == 0


@pytest.mark.parametrize("other", [{"d_model": 16}, {"seed": 1}, {"pairs": "all"}], ids=str)
def test_other_settings_in_the_same_folder_are_refused_in_one_sentence(whole, other, capsys, monkeypatch):
    monkeypatch.setattr(
        train_translation, "translation_pairs", lambda _, split, **words: translation_pairs("hsk", split)
    )
    before = state(whole)
    assert main(arguments(whole, Settings(**{**vars(TINY), **other}))) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{whole} holds a training with other settings" in said
    assert "choose another --folder" in said
    assert state(whole)[0] == before[0]


def test_what_is_exported_is_a_model_that_translates_as_the_averaged_one(whole):
    folder = whole / "exported"
    with safe_open(folder / "model.safetensors", "pt") as file:
        settings = Settings(**json.loads(file.metadata()["settings"]))
    assert settings == TINY
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
    tokenizer = Tokenizer({tuple(line.split(" ")): rank for rank, line in enumerate(lines)})
    assert len(tokenizer.merges) == TINY.n_merges
    model = model_of(settings, len(tokenizer)).eval()
    weights = load_file(folder / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float16}
    model.load_state_dict({name: weight.float() for name, weight in weights.items()})

    average = model_of(settings, len(tokenizer)).eval()
    tensors = {n.removeprefix("average."): t for n, t in state(whole)[1].items() if n.startswith("average.")}
    average.load_state_dict(tensors)
    source_ids = pad_batch([tokenizer.encode(sentence) for sentence in train_translation.SHOWN], 0)
    with torch.no_grad():
        torch.testing.assert_close(
            model(source_ids, source_ids), average(source_ids, source_ids), atol=5e-3, rtol=0
        )


def test_the_log_says_how_it_was_made_and_how_it_went(whole):
    record = json.loads((whole / "exported" / "log.json").read_text(encoding="utf-8"))
    assert record["settings"] == vars(TINY)
    assert record["versions"]["torch"] == torch.__version__
    assert record["parameters"] == sum(p.numel() for p in model_of(TINY, 3 + 256 + 60).parameters())
    assert [entry["epoch"] for entry in record["log"]] == [1, 2]
    for entry in record["log"]:
        assert entry["validation"].keys() == {"hsk"}
        assert entry["examples"].keys() == set(train_translation.SHOWN)
    assert record["log"][1]["loss"] < record["log"][0]["loss"]
    tested = record["test"]["hsk"]
    assert tested["pairs"] == len(translation_pairs("hsk", "test"))
    assert tested["examples"] == sorted(tested["examples"], reverse=True)
    for score, wanted, written in tested["examples"]:
        assert CHRF().sentence_score(written, [wanted]).score == pytest.approx(score, abs=0.05)


def test_a_text_is_written_in_many_ways_or_as_the_tokenizer_does():
    tokenizer = Tokenizer(translation_model().merges)
    texts = [text for pair in translation_pairs("hsk", "test") for text in (pair.chinese, pair.english)]
    chance = random.Random(0)
    exact, sampled = SubwordSampler(tokenizer, 0.0), SubwordSampler(tokenizer, 0.1)
    assert [exact.encode(text, chance) for text in texts] == [tokenizer.encode(text) for text in texts]
    ways = [{tuple(sampled.encode(text, chance)) for _ in range(20)} for text in texts]
    assert all(
        {tokenizer.decode(way) for way in several} == {text}
        for several, text in zip(ways, texts, strict=True)
    )
    assert sum(map(len, ways)) > 5 * len(texts)


def test_from_the_exact_epoch_on_no_merge_is_left_out(tmp_path):
    merges = translation_model().merges
    (tmp_path / "merges.txt").write_text(
        "".join(f"{left} {right}\n" for left, right in merges), encoding="utf-8"
    )
    settings = Settings(**{**vars(TINY), "subword_dropout": 0.5, "exact_epoch": 2, "book_copies": 0})
    training = train_translation.Training(settings, tmp_path, torch.device("cpu"))
    first, second = (
        sum(int((target_ids != 0).sum()) for _, target_ids in training.epoch(number)) for number in (0, 1)
    )
    tokenizer = Tokenizer(merges)
    exact = sum(len(tokenizer.encode(pair.english)) + 1 for pair in translation_pairs("hsk", "train"))
    assert second == exact < 0.8 * first


def test_words_join_the_sentences_where_they_are_wanted(tmp_path):
    folder = tmp_path / "words"
    folder.mkdir()
    (folder / "merges.txt").write_text("t h\n")
    tiny = Settings(**{**vars(TINY), "n_merges": 1, "word_copies": 2})
    training = train_translation.Training(tiny, folder, torch.device("cpu"))
    words = translation_pairs("hsk", "train", words=True)
    sentences = [pair for pair in words if pair.source == "hsk"]
    copies = len(sentences) * tiny.hsk_copies + 2 * (len(words) - len(sentences))
    assert sum(len(source) for source, _ in training.epoch(0)) == copies


def test_the_chapter_says_of_recipes_what_was_measured():
    text = (ROOT / "chapters" / "07_transformer.md").read_text(encoding="utf-8")
    told = text[text.index("**What helps?**") : text.index("## Explore")]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in told.splitlines() if line[:1] == "|"
    ]
    recipes = json.loads((ROOT / "benchmarks" / "recipes.json").read_text(encoding="utf-8"))["recipes"]
    assert {name: numbers for name, *numbers in rows[2:]} == {
        name: [f"{kind['loss']:.2f}, {kind['chrF']:.1f}" for kind in measured["validation"].values()]
        for name, measured in recipes.items()
    }
    before = json.loads((ROOT / "benchmarks" / "larger_before.json").read_text(encoding="utf-8"))["log"]
    now = translation_model().log["log"]
    hsk = [
        f"{log[epoch - 1]['validation']['hsk']:.2f}" for log, epoch in ((before, 9), (before, 15), (now, 15))
    ]
    technical = [f"{now[epoch - 1]['validation']['technical']:.2f}" for epoch in (16, 17)]
    assert re.findall(r"\d\.\d\d", told.rpartition("|")[2]) == [*hsk, *technical]
    assert translation_model().settings["exact_epoch"] == 17


def test_the_help_explains_every_setting(capsys):
    assert EXPLAINED.keys() == vars(TINY).keys()
    with pytest.raises(SystemExit):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    for name, value in vars(Settings()).items():
        assert f"--{name.replace('_', '-')}" in said
        assert f"{EXPLAINED[name]} (default: {value})" in said
