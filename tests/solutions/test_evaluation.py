"""The reference scores against sacrebleu and rouge-score, and the attention pictures by their properties."""

import math
import random
from itertools import chain

import pytest
import torch
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from torch.nn import functional as F

from companion.data import translation_pairs
from solutions.evaluation import (
    attention_rollout,
    bleu,
    bleu_tokens,
    chrf,
    looks,
    ngram_precision,
    perplexity,
    rouge_l,
    rouge_tokens,
)
from solutions.transformer import Transformer

EXACT = {"rel": 1e-12, "abs": 1e-12}
ODD = "aAbB zZ..,,!?-'\"&<>();:/\\{}[]~`^_*+=|#$%@09 \t\u00a0\u3000\u2028\x1c\x85éßİ我。，🙂\n"
FRAGMENTS = [
    "&quot;",
    "&amp;",
    "&lt;",
    "&gt;",
    "&amp;quot;",
    "<skipped>",
    "-\n",
    "3.5",
    "1,000-2",
    "a.b",
    "U.S.",
]


def changed(text, chance):
    """A sentence as a poor translator would have written it: words lost, doubled, moved, in capitals."""
    words = text.split()
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(words)) if words else 0
        edit = chance.randrange(5)
        if not words or edit == 0:
            words.insert(place, chance.choice(["the", "a", "not", "very"]))
        elif edit == 1:
            words.pop(place)
        elif edit == 2:
            words.insert(place, words[place])
        elif edit == 3:
            chance.shuffle(words)
        else:
            words[place] = words[place].upper()
    return " ".join(words)


def sentences():
    chance = random.Random(0)
    right = [pair.english for pair in translation_pairs("hsk", "validation")]
    return [changed(text, chance) for text in right], [[text] for text in right]


def several():
    chance = random.Random(1)
    right = [pair.english for pair in translation_pairs("hsk", "test")]
    references = [[text, changed(text, chance), chance.choice(right)] for text in right]
    return [changed(text, chance) for text in right], references


def strange():
    chance = random.Random(2)

    def text():
        parts = [chance.choice(ODD) for _ in range(chance.randrange(25))]
        for _ in range(chance.randrange(3)):
            parts.insert(chance.randrange(len(parts) + 1), chance.choice(FRAGMENTS))
        return "".join(parts)

    return [text() for _ in range(400)], [[text(), text()] for _ in range(400)]


CORPORA = {
    "real": sentences(),
    "several references": several(),
    "strange": strange(),
    "empty hypotheses": (["", "", "I am"], [["I am an engineer."], ["No."], ["I am"]]),
    "only empty": (["", ""], [["I am."], [""]]),
    "empty references": (["I am here today .", ""], [["", "I am here today ."], [""]]),
    "shorter than n": (["I am", "No"], [["I am an engineer"], ["No"]]),
    "nothing matches": (["a b c d e"], [["v w x y z"]]),
    "no match at two orders": (["a x b y c"], [["a b c d e"]]),
    "no four in a row": (["a b c x d e f"], [["a b c y d e f"]]),
    "as long as its reference": (["a b c d x"], [["a b c d e"]]),
    "one word short": (["a b c d"], [["a b c d e"]]),
    "tie of lengths, longer first": (["a b c d e"], [["a b c d e f", "a b c d"]]),
    "tie of lengths, shorter first": (["a b c d e"], [["a b c d", "a b c d e f"]]),
    "closest is not shortest": (["a b c d e f g"], [["a b c", "a b c d e f g h"]]),
    "repeated": (["the the the the the the the"], [["the cat is on the mat", "there is a cat on the mat"]]),
    "chrF, equally good references": (["ab"], [["abcd", "xxab"]]),
    "chrF, a reference that is too short": (["abcdefgh", "abc"], [["abc"], ["abcdefgh"]]),
}
by_corpus = pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA.keys())


def transposed(references):
    """As sacrebleu wants them: all first references, then all second ones."""
    most = max(map(len, references))
    return [[rights[n] if n < len(rights) else None for rights in references] for n in range(most)]


@by_corpus
def test_bleu_is_sacrebleus(corpus):
    hypotheses, references = corpus
    expected = BLEU().corpus_score(hypotheses, transposed(references)).score
    assert bleu(hypotheses, references) == pytest.approx(expected, **EXACT)


@by_corpus
def test_ngram_precision_is_sacrebleus(corpus):
    for text, rights in zip(*corpus, strict=True):
        expected = BLEU().corpus_score([text], [[right] for right in rights])
        tokens, others = bleu_tokens(text), [*map(bleu_tokens, rights)]
        counts = [ngram_precision(tokens, others, n) for n in range(1, 5)]
        assert [matched for matched, _ in counts] == expected.counts
        assert [total for _, total in counts] == expected.totals


@by_corpus
def test_bleu_and_chrf_of_each_sentence_are_sacrebleus(corpus):
    for text, rights in zip(*corpus, strict=True):
        expected = BLEU().corpus_score([text], [[right] for right in rights]).score
        assert bleu([text], [rights]) == pytest.approx(expected, **EXACT)
        expected = CHRF().sentence_score(text, rights).score
        assert chrf([text], [rights]) == pytest.approx(expected, **EXACT)


@by_corpus
def test_chrf_is_sacrebleus(corpus):
    hypotheses, references = corpus
    expected = CHRF().corpus_score(hypotheses, transposed(references)).score
    assert chrf(hypotheses, references) == pytest.approx(expected, **EXACT)


@by_corpus
def test_rouge_l_is_the_mean_of_rouge_scores(corpus):
    scorer = RougeScorer(["rougeL"])
    scores = [
        scorer.score_multi(rights, text)["rougeL"].fmeasure for text, rights in zip(*corpus, strict=True)
    ]
    assert rouge_l(*corpus) == pytest.approx(100 * sum(scores) / len(scores), **EXACT)


def test_tokens_are_those_of_sacrebleu_and_rouge_score():
    theirs, scorer = Tokenizer13a(), RougeScorer(["rougeL"])
    for hypotheses, references in CORPORA.values():
        for text in [*hypotheses, *chain(*references)]:
            assert bleu_tokens(text) == theirs(text.rstrip()).split()
            assert rouge_tokens(text) == scorer._tokenizer.tokenize(text)


def test_known_values_by_hand():
    # Papineni et al. 2002, section 2.1: two of seven.
    repeated, references = CORPORA["repeated"]
    tokens, others = repeated[0].split(), [right.split() for right in references[0]]
    assert ngram_precision(tokens, others, 1) == (2, 7)
    assert ngram_precision(tokens, others, 2) == (0, 6)
    assert bleu(["a b c d"], [["a b c d e"]]) == pytest.approx(100 * math.exp(-1 / 4))
    assert bleu(["a b c d"], [["a b c d"]]) == pytest.approx(100)
    # Lin 2004, section 3: "police kill the gunman" and "the gunman kill police".
    right = ["police killed the gunman"]
    assert rouge_l(["police kill the gunman"], [right]) == pytest.approx(75)
    assert rouge_l(["the gunman kill police"], [right]) == pytest.approx(50)
    # Three of the four orders exist; precision 1, recall 3/4, 2/3, 1/2.
    recall = (3 / 4 + 2 / 3 + 1 / 2) / 3
    assert chrf(["a b c"], [["abcd"]]) == pytest.approx(100 * 5 * recall / (4 + recall))


@pytest.mark.parametrize("score", [bleu, rouge_l, chrf])
def test_what_does_not_fit_is_refused(score):
    with pytest.raises(ValueError, match="zip"):
        score(["a", "b"], [["a"]])


def test_perplexity_is_that_of_the_definition():
    torch.manual_seed(0)
    logits, ids = torch.randn(3, 5, 7), torch.randint(1, 7, (3, 5))
    ids[0, 3:] = ids[2, 1:] = 0
    nats = [
        -math.log(math.exp(logits[row, place, ids[row, place]]) / logits[row, place].exp().sum().item())
        for row in range(3)
        for place in range(5)
        if ids[row, place]
    ]
    found = perplexity(logits, ids, 0)
    assert found.shape == ()
    assert found.item() == pytest.approx(math.exp(sum(nats) / len(nats)), rel=1e-5)
    assert perplexity(torch.zeros(4, 9), torch.tensor([1, 2, 3, 8]), 0).item() == pytest.approx(9)
    half = perplexity((12 * logits).half(), ids, 0)
    assert half.dtype == torch.float32
    assert half > 65504
    assert half.isfinite()


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Transformer(20, 16, 4, 32, 2, max_length=16).eval()


SOURCE = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])
INPUT = torch.tensor([[1, 9, 10], [1, 11, 0]])


def test_looks_has_the_weights_of_every_layer(model):
    encoder, past, memory = looks(model, SOURCE, INPUT)
    assert [len(kind) for kind in (encoder, past, memory)] == [2, 2, 2]
    shapes = {kind[0].shape for kind in (encoder, past, memory)}
    assert shapes == {(2, 4, 4, 4), (2, 4, 3, 3), (2, 4, 3, 4)}
    for kind in (*encoder, *past, *memory):
        torch.testing.assert_close(kind.sum(dim=-1), torch.ones(kind.shape[:-1]))
    assert (encoder[1][1, :, :, 2:] == 0).all()
    assert (memory[1][1, :, :, 2:] == 0).all()
    assert (past[1].triu(1) == 0).all()
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_looks_explains_what_the_model_does(model):
    """With all other branches silenced, the weights and values give the decoder's states."""
    (_, _, memory), seen = looks(model, SOURCE, INPUT), {}
    module = model.decoder.layers[1].cross_attention
    hook = module.register_forward_hook(lambda module, inputs, output: seen.update(x=inputs, y=output))
    model(SOURCE, INPUT)
    hook.remove()
    value = module.value(seen["x"][1]).unflatten(-1, (4, 4)).transpose(1, 2)
    found = module.output((memory[1] @ value).transpose(1, 2).flatten(-2))
    torch.testing.assert_close(found, seen["y"])


def test_rollout_is_its_definition():
    torch.manual_seed(0)
    weights = torch.randn(3, 2, 4, 5, 5).softmax(dim=-1)
    found = attention_rollout(weights)
    expected = torch.eye(5).expand(2, 5, 5)
    for layer in weights:
        expected = (0.5 * layer.mean(dim=1) + 0.5 * torch.eye(5)) @ expected
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(attention_rollout([*weights]), expected)
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(2, 5))


def test_rollout_is_the_derivative_of_layers_that_only_average():
    """Where states are averaged and added, and nothing else happens, rollout is exact."""
    torch.manual_seed(0)
    weights = torch.randn(3, 1, 2, 4, 4, dtype=torch.float64).softmax(dim=-1)

    def states(x):
        for layer in weights:
            x = (x + layer[0].mean(dim=0) @ x) / 2
        return x

    x = torch.randn(4, 1, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(states, x)[:, 0, :, 0]
    torch.testing.assert_close(attention_rollout(weights)[0], jacobian)


def test_rollout_of_rows_that_see_nothing_and_of_causal_layers():
    weights = torch.zeros(2, 1, 2, 3, 3)
    assert torch.equal(attention_rollout(weights)[0], torch.eye(3))
    causal = F.normalize(torch.rand(2, 1, 2, 4, 4).tril(), p=1, dim=-1)
    assert (attention_rollout(causal).triu(1) == 0).all()
    half = attention_rollout(causal.half())
    assert half.dtype == torch.float16
