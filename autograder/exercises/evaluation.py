"""What the scores of chapter 09 must do, and how they go wrong."""

import math
import re
from collections import Counter
from difflib import SequenceMatcher
from itertools import pairwise, zip_longest

import torch
from torch.nn import functional as F

import solutions.evaluation
from autograder.exercises.specification import Exercise, behaviour, mistake
from solutions.evaluation import bleu_tokens, ngrams, rouge_tokens

WORDS = ("the", "cat", "a", "is", "on", "mat", "not", "there")
RIGHT = "the cat is on the mat and the dog is not there today"


def _words(draw, shortest, longest):
    return [WORDS[draw.integer(0, len(WORDS) - 1)] for _ in range(draw.integer(shortest, longest))]


def _text(draw, shortest, longest):
    return " ".join(_words(draw, shortest, longest))


def _close(draw, text):
    """A text that differs from another one in a few words and keeps four in a row."""
    words = text.split()
    words.insert(draw.integer(0, 1), "very")
    words[-1] = WORDS[draw.integer(0, len(WORDS) - 1)]
    return " ".join(words)


def _ragged(draw, pad_id):
    """Logits (4, 6, 9) and targets whose sentences have from one to six tokens."""
    logits = 2 * draw.scores(4, 6, 9)
    ids = torch.tensor([[draw.integer(0, 8) for _ in range(6)] for _ in range(4)])
    ids[ids == pad_id] = (pad_id + 1) % 9
    for row, length in enumerate((6, 1, 3, draw.integer(2, 5))):
        ids[row, length:] = pad_id
    return logits, ids


class Perplexity(Exercise):
    name = "perplexity"
    solutions = solutions.evaluation

    @behaviour("is the exponential of the mean cross-entropy, in nats", points=3)
    def value(ask, draw):
        ask.same(torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.5, -1.0]]), torch.tensor([1, 2]), 0)
        ask.same(torch.tensor([[100.0, 101.0, 99.0]]), torch.tensor([1]), 0)
        ask.same(draw.scores(4, 2, 7).transpose(0, 1), torch.tensor([[1, 2, 6, 4], [3, 3, 5, 1]]), 0)
        ask.same(draw.scores(2, 3, 2, 5), torch.tensor([[[1, 2], [4, 4], [3, 1]]] * 2), 0)

    @behaviour("leaves the padding out, whatever its number", points=2)
    def padding(ask, draw):
        logits = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.5, -1.0], [0.0, 3.0, 0.0]])
        ask.same(logits, torch.tensor([1, 2, 0]), 0)
        ask.same(logits, torch.tensor([0, 1, 2]), 2)
        ask.same(draw.scores(2, 3, 5), torch.tensor([[0, 4, 1], [2, 4, 4]]), 4)

    @behaviour("gives every token the same say, in a short sentence and in a long one", points=2)
    def tokens(ask, draw):
        logits = torch.tensor([[[0.0, 1.0, 2.0]] * 3, [[1.0, 0.5, -1.0]] * 3])
        ask.same(logits, torch.tensor([[1, 2, 1], [2, 0, 0]]), 0)
        for pad_id in (0, 5):
            ask.same(*_ragged(draw, pad_id), pad_id)

    @behaviour("is float32, computed in float32, where the logits are in half precision", points=1)
    def half(ask, draw):
        ask.same(torch.tensor([[20.0, 0.0625]]).bfloat16(), torch.tensor([1]), 0)
        ask.same(draw.scores(3, 5, 9).bfloat16(), torch.tensor([[1, 2, 3, 4, 8]] * 3), 0)
        ask.same(torch.tensor([[0.0, 14.0], [0.0, 13.0]]).half(), torch.tensor([0, 0]), 1)

    @behaviour("leaves its arguments as they were, and works on their device", points=1)
    def neighbourly(ask, draw):
        logits, ids = _ragged(draw, 0)
        ask.keeps_arguments(logits, ids, 0)
        ask.follows_device(logits, ids, 0)

    @mistake(
        "You return the mean cross-entropy: perplexity is its exponential.",
        breaks=value,
    )
    def loss_alone(logits, target_ids, pad_id):
        return F.cross_entropy(logits.float().flatten(0, -2), target_ids.flatten(), ignore_index=pad_id)

    @mistake(
        "You raise 2 to a loss in nats: `cross_entropy` takes natural logarithms, so the base is e. With 2, "
        "the loss must be in bits.",
        breaks=value,
    )
    def nats_as_bits(logits, target_ids, pad_id):
        return 2 ** F.cross_entropy(logits.float().flatten(0, -2), target_ids.flatten(), ignore_index=pad_id)

    @mistake(
        "You sum the losses and do not divide: longer texts are then always worse. Take the mean over the "
        "tokens.",
        breaks=value,
    )
    def summed(logits, target_ids, pad_id):
        return F.cross_entropy(
            logits.float().flatten(0, -2), target_ids.flatten(), ignore_index=pad_id, reduction="sum"
        ).exp()

    @mistake(
        "You average the exponentials of single tokens: one token that the model gave almost no chance then "
        "rules the whole. First the mean of the losses, then the exponential.",
        breaks=value,
    )
    def mean_of_exponentials(logits, target_ids, pad_id):
        losses = F.cross_entropy(logits.float().flatten(0, -2), target_ids.flatten(), reduction="none")
        return losses[target_ids.flatten() != pad_id].exp().mean()

    @mistake(
        "You average probabilities: perplexity takes the mean of their *logarithms*, so that the product of "
        "all probabilities counts.",
        breaks=value,
    )
    def mean_of_probabilities(logits, target_ids, pad_id):
        chances = logits.float().softmax(dim=-1).gather(-1, target_ids[..., None])[..., 0]
        return 1 / chances[target_ids != pad_id].mean()

    @mistake(
        "`cross_entropy` wants logits, and you give it probabilities: it then takes the softmax of a "
        "softmax.",
        breaks=value,
    )
    def softmax_twice(logits, target_ids, pad_id):
        chances = logits.float().softmax(dim=-1).flatten(0, -2)
        return F.cross_entropy(chances, target_ids.flatten(), ignore_index=pad_id).exp()

    @mistake(
        "You move the targets by one: here logits and targets stand side by side already, since the "
        "decoder's *input* was shifted.",
        breaks=value,
    )
    def shifted_again(logits, target_ids, pad_id):
        logits, target_ids = logits[..., :-1, :].float(), target_ids[..., 1:]
        return F.cross_entropy(
            logits.flatten(0, -2), target_ids.flatten(), ignore_index=pad_id
        ).exp()  # fmt: skip

    @mistake(
        "You give the logits another shape where their axes should be exchanged: `view` mixes the "
        "vocabulary with the positions. Flatten all axes but the last.",
        breaks=value,
    )
    def viewed(logits, target_ids, pad_id):
        vocab_size = logits.shape[-1]
        return F.cross_entropy(
            logits.float().reshape(vocab_size, -1).T, target_ids.flatten(), ignore_index=pad_id
        ).exp()

    @mistake(
        "You take the exponential of the logits themselves: above 88 it is infinite in float32. "
        "`log_softmax` and `logsumexp` subtract the largest logit first.",
        breaks=value,
    )
    def overflowing(logits, target_ids, pad_id):
        powers = logits.float().exp()
        chances = (powers / powers.sum(dim=-1, keepdim=True)).gather(-1, target_ids[..., None])[..., 0]
        return (-chances[target_ids != pad_id].log().mean()).exp()

    @mistake(
        "You return a Python number: a tensor without axes is wanted. Leave out `item()`, and use `.exp()` "
        "rather than `math.exp`.",
        breaks=value,
    )
    def as_a_number(logits, target_ids, pad_id):
        return math.exp(
            F.cross_entropy(logits.float().flatten(0, -2), target_ids.flatten(), ignore_index=pad_id)
        )

    @mistake(
        "The padding counts as text: hand `ignore_index=pad_id` to `cross_entropy`, or choose the tokens "
        "that are no padding.",
        breaks=padding,
    )
    def padding_counts(logits, target_ids, pad_id):
        return F.cross_entropy(logits.float().flatten(0, -2), target_ids.flatten()).exp()

    @mistake(
        "You leave out the padding's losses and still divide by all positions: perplexity then falls with "
        "every padding symbol. Divide by the number of real tokens.",
        breaks=padding,
    )
    def divided_by_all(logits, target_ids, pad_id):
        losses = F.cross_entropy(
            logits.float().flatten(0, -2), target_ids.flatten(), ignore_index=pad_id, reduction="none"
        )
        return losses.mean().exp()

    @mistake(
        "You leave out token 0, whatever `pad_id` says.",
        breaks=padding,
    )
    def always_zero(logits, target_ids, pad_id):
        return F.cross_entropy(logits.float().flatten(0, -2), target_ids.flatten(), ignore_index=0).exp()

    @mistake(
        "You average the perplexities of sentences: a sentence of one token weighs as much as one of "
        "thirty. Add up all losses, divide by all tokens, and take the exponential once.",
        breaks=tokens,
    )
    def mean_of_sentences(logits, target_ids, pad_id):
        return _by_sentence(logits, target_ids, pad_id).exp().mean()

    @mistake(
        "You average the mean losses of sentences: a token of a short sentence then weighs more than one of "
        "a long sentence. Add up all losses, and divide by all tokens.",
        breaks=tokens,
    )
    def mean_of_sentence_losses(logits, target_ids, pad_id):
        return _by_sentence(logits, target_ids, pad_id).mean().exp()

    @mistake(
        "You compute in half precision: it has three decimal digits, or two, and above 65,504 nothing. "
        "Begin with `logits.float()`.",
        breaks=half,
    )
    def in_half(logits, target_ids, pad_id):
        return F.cross_entropy(logits.flatten(0, -2), target_ids.flatten(), ignore_index=pad_id).exp()

    @mistake(
        "You go over to float32 at the end, when the digits are lost already: `logits.float()` comes first.",
        breaks=half,
    )
    def too_late(logits, target_ids, pad_id):
        loss = F.cross_entropy(logits.flatten(0, -2), target_ids.flatten(), ignore_index=pad_id)
        return loss.exp().float()

    @mistake(
        "You write into the targets you were given: whoever called you still needs them. `masked_fill` "
        "without an underscore makes a new tensor.",
        breaks=neighbourly,
    )
    def in_place(logits, target_ids, pad_id):
        target_ids.masked_fill_(target_ids == pad_id, -100)
        return F.cross_entropy(logits.float().flatten(0, -2), target_ids.flatten()).exp()


def _by_sentence(logits, target_ids, pad_id):
    """The mean loss of each row of tokens."""
    losses = F.cross_entropy(
        logits.float().flatten(0, -2), target_ids.flatten(), ignore_index=pad_id, reduction="none"
    ).reshape(-1, target_ids.shape[-1])
    real = (target_ids != pad_id).reshape(losses.shape)
    return losses.sum(dim=-1) / real.sum(dim=-1)


class NgramPrecision(Exercise):
    name = "ngram_precision"
    solutions = solutions.evaluation

    @behaviour("counts the n-grams that hypothesis and reference share, in their order", points=2)
    def counts(ask, draw):
        ask.same(["a", "b", "c", "d"], [["a", "b", "d"]], 2)
        ask.same(["a", "b", "c", "d"], [["b", "c", "d", "a"]], 1)
        ask.same(["b", "a"], [["a", "b"]], 2)
        ask.same(["a", "bc", "d"], [["ab", "c", "d"]], 2)
        ask.same(["a b", "c"], [["a", "b c"]], 2)
        ask.same(["The", "cat"], [["the", "cat"]], 1)
        ask.same(["a", "b", "c", "d", "e"], [["x", "b", "c", "d", "e"]], 4)
        ask.same(["a", "b", "c", "d"], [["d", "c", "b", "a", "b", "c"]], 3)

    @behaviour("matches an n-gram at most as often as the reference has it", points=2)
    def clips(ask, draw):
        ask.same(["the", "the", "the"], [["the", "the", "cat"]], 1)
        ask.same(["a", "b", "a", "b", "a"], [["a", "b", "a"]], 2)
        ask.same(["the", "the", "cat"], [["the", "the", "the", "mat"]], 1)
        for n in (1, 2):
            ask.same(_words(draw, 8, 12), [_words(draw, 6, 12)], n)

    @behaviour("takes of several references the one that has an n-gram most often, not their sum", points=2)
    def several(ask, draw):
        ask.same([*"aaaaabbb"], [[*"aaaax"], [*"bbbaay"], [*"bqq"]], 1)
        ask.same(["the", "the", "the"], [["the", "cat"], ["the", "the"]], 1)
        ask.same(["a", "b"], [["a", "x"], ["b", "y"]], 1)
        ask.same(["a", "a", "b", "b"], [["a", "b", "b", "c"], ["a", "a", "a", "b", "d", "e"]], 1)
        for n in (1, 2):
            ask.same(_words(draw, 8, 12), [_words(draw, 6, 12) for _ in range(3)], n)

    @behaviour("has a total of all n-grams of the hypothesis, and of none where it is too short", points=1)
    def totals(ask, draw):
        ask.same(["a", "b", "a", "b", "a"], [["c"]], 1)
        ask.same(["a", "b", "a", "b", "a"], [["a", "b", "a", "b"]], 3)
        ask.same(["a", "b"], [["a", "b", "c", "d"]], 2)
        ask.same(["a", "b"], [["a", "b", "c", "d"]], 4)
        ask.same([], [["a"]], 1)

    @behaviour("leaves hypothesis and references as they were", points=1)
    def neighbourly(ask, draw):
        ask.keeps_arguments(["a", "b", "a"], [["a", "b"], ["b", "a"]], 1)
        ask.keeps_arguments(_words(draw, 5, 8), [_words(draw, 5, 8), _words(draw, 5, 8)], 2)

    @mistake(
        "Nothing is clipped: 'the the the' then has a precision of 3/3 against 'the cat'. An n-gram is "
        "matched at most as often as the reference has it.",
        breaks=clips,
    )
    def unclipped(hypothesis, references, n):
        found = ngrams(hypothesis, n)
        known = set().union(*(ngrams(right, n) for right in references))
        return sum(count for gram, count in found.items() if gram in known), found.total()

    @mistake(
        "You count each n-gram once: one that stands twice in both texts is matched twice. Do not make sets.",
        breaks=clips,
    )
    def matches_as_a_set(hypothesis, references, n):
        found = ngrams(hypothesis, n)
        known = set().union(*(ngrams(right, n) for right in references))
        return len(found.keys() & known), found.total()

    @mistake(
        "You make sets of both texts: matches and total then count different n-grams. Both count "
        "repetitions: use Counters.",
        breaks=clips,
    )
    def all_as_sets(hypothesis, references, n):
        found = ngrams(hypothesis, n).keys()
        known = set().union(*(ngrams(right, n) for right in references))
        return len(found & known), len(found)

    @mistake(
        "You add the references up: two that have an n-gram once each allow it once, not twice. Take the "
        "maximum: `|` of two Counters, not `+`.",
        breaks=several,
    )
    def sum_of_references(hypothesis, references, n):
        found = ngrams(hypothesis, n)
        most = sum((ngrams(right, n) for right in references), Counter())
        return (found & most).total(), found.total()

    @mistake(
        "Only the first reference is read: what stands in any of them is right.",
        breaks=several,
    )
    def first_reference(hypothesis, references, n):
        found = ngrams(hypothesis, n)
        return (found & ngrams(references[0], n)).total(), found.total()

    @mistake(
        "You want an n-gram in all references at once: it is enough that one has it. Take the maximum over "
        "them, `|`, not the minimum, `&`.",
        breaks=several,
    )
    def in_all_references(hypothesis, references, n):
        found = common = ngrams(hypothesis, n)
        for right in references:
            common = common & ngrams(right, n)
        return common.total(), found.total()

    @mistake(
        "You choose one reference, the one with most matches: each n-gram may find its own reference. Take "
        "the maximum for each n-gram before you compare.",
        breaks=several,
    )
    def best_reference(hypothesis, references, n):
        found = ngrams(hypothesis, n)
        return max((found & ngrams(right, n)).total() for right in references), found.total()

    @mistake(
        "Your total counts the n-grams of the reference: that is recall. Precision asks what share of the "
        "*hypothesis* is right.",
        breaks=counts,
    )
    def recall(hypothesis, references, n):
        most = Counter()
        for right in references:
            most |= ngrams(right, n)
        return (ngrams(hypothesis, n) & most).total(), most.total()

    @mistake(
        "Your total is the number of words: of n words there are one fewer pairs and n - 1 fewer n-grams.",
        breaks=counts,
    )
    def total_of_words(hypothesis, references, n):
        most = Counter()
        for right in references:
            most |= ngrams(right, n)
        return (ngrams(hypothesis, n) & most).total(), len(hypothesis)

    @mistake(
        "The last n-gram is missing: `range(len(tokens) - n + 1)` reaches it.",
        breaks=counts,
    )
    def last_missing(hypothesis, references, n):
        found, most = _stepping(hypothesis, n, less=1), Counter()
        for right in references:
            most |= _stepping(right, n, less=1)
        return (found & most).total(), found.total()

    @mistake(
        "You cut the text into pieces of n words: n-grams overlap. Move on by one word, not by n.",
        breaks=counts,
    )
    def in_pieces(hypothesis, references, n):
        found, most = _stepping(hypothesis, n, step=n), Counter()
        for right in references:
            most |= _stepping(right, n, step=n)
        return (found & most).total(), found.total()

    @mistake(
        "The order of the words within an n-gram is lost: ('b', 'a') is no match for ('a', 'b').",
        breaks=counts,
    )
    def without_order(hypothesis, references, n):
        found, most = _mapped(hypothesis, n, lambda gram: tuple(sorted(gram))), Counter()
        for right in references:
            most |= _mapped(right, n, lambda gram: tuple(sorted(gram)))
        return (found & most).total(), found.total()

    @mistake(
        "You join words without anything between them: 'a', 'bc' becomes the same as 'ab', 'c'. Use tuples.",
        breaks=counts,
    )
    def joined(hypothesis, references, n):
        found, most = _mapped(hypothesis, n, "".join), Counter()
        for right in references:
            most |= _mapped(right, n, "".join)
        return (found & most).total(), found.total()

    @mistake(
        "You divide: the two numbers are wanted, matches and total, since a corpus adds them up first.",
        breaks=counts,
    )
    def divided(hypothesis, references, n):
        found, most = ngrams(hypothesis, n), Counter()
        for right in references:
            most |= ngrams(right, n)
        return (found & most).total() / max(1, found.total())

    @mistake(
        "You return the total first: matches come first, then the total.",
        breaks=counts,
    )
    def exchanged(hypothesis, references, n):
        found, most = ngrams(hypothesis, n), Counter()
        for right in references:
            most |= ngrams(right, n)
        return found.total(), (found & most).total()

    @mistake(
        "Your total counts different n-grams: one that stands three times counts three times.",
        breaks=totals,
    )
    def total_of_a_set(hypothesis, references, n):
        found, most = ngrams(hypothesis, n), Counter()
        for right in references:
            most |= ngrams(right, n)
        return (found & most).total(), len(found)

    @mistake(
        "A hypothesis shorter than n gets a negative total: it has no n-grams, so the total is 0.",
        breaks=totals,
    )
    def negative_total(hypothesis, references, n):
        found, most = ngrams(hypothesis, n), Counter()
        for right in references:
            most |= ngrams(right, n)
        return (found & most).total(), len(hypothesis) - n + 1

    @mistake(
        "You take words out of the hypothesis you were given: whoever called you still needs it for the "
        "next n. Go through places instead.",
        breaks=neighbourly,
    )
    def consumed(hypothesis, references, n):
        found, most = Counter(), Counter()
        while len(hypothesis) >= n:
            found[tuple(hypothesis[:n])] += 1
            hypothesis.pop(0)
        for right in references:
            most |= ngrams(right, n)
        return (found & most).total(), found.total()


def _stepping(tokens, n, step=1, less=0):
    return Counter(tuple(tokens[i : i + n]) for i in range(0, len(tokens) - n + 1 - less, step))


def _mapped(tokens, n, change):
    return Counter(change(tuple(tokens[i : i + n])) for i in range(len(tokens) - n + 1))


def _closest(length, lengths):
    return min(lengths, key=lambda n: (abs(n - length), n))


def _brevity(length, wanted):
    return min(1.0, math.exp(1 - wanted / length))


def _halving(matched, total):
    """The precisions of sacrebleu's default, "exp"; None where the score is 0."""
    if not any(matched) or not all(total):
        return None
    share, shares = 1.0, []
    for hits, places in zip(matched, total, strict=True):
        share = share if hits else share / 2
        shares.append((hits or share) / places)
    return shares


def _geometric(shares):
    return math.exp(sum(map(math.log, shares)) / len(shares))


def _clipped(tokens, rights, n):
    most = Counter()
    for right in rights:
        most |= ngrams(right, n)
    found = ngrams(tokens, n)
    return (found & most).total(), found.total()


def _bleu(
    hypotheses,
    references,
    tokens=None,
    orders=4,
    count=None,
    closest=None,
    brevity=None,
    precisions=None,
    mean=None,
    scale=100,
    strict=True,
):
    """BLEU, one step of which may be another one."""
    tokens, count, closest = tokens or bleu_tokens, count or _clipped, closest or _closest
    brevity, precisions, mean = brevity or _brevity, precisions or _halving, mean or _geometric
    matched, total, length, wanted = [0] * orders, [0] * orders, 0, 0
    for text, rights in zip(hypotheses, references, strict=strict):
        words, rights = tokens(text), [*map(tokens, rights)]
        length += len(words)
        wanted += closest(len(words), [len(right) for right in rights])
        for n in range(orders):
            hits, places = count(words, rights, n + 1)
            matched[n] += hits
            total[n] += places
    shares = precisions(matched, total)
    return 0.0 if shares is None else scale * brevity(length, wanted) * mean(shares)


class Bleu(Exercise):
    name = "bleu"
    solutions = solutions.evaluation
    builds_on = ("ngram_precision",)
    forbidden = ("sacrebleu",)

    @behaviour("is the geometric mean of the four clipped precisions, from 0 to 100", points=3)
    def precision(ask, draw):
        ask.same(["a b c d e"], [["a b c d x"]])
        ask.same(["a b c d e"], [["a b c d e"]])
        ask.same(["the cat is on the the mat"], [["the cat is on the old mat"]])
        ask.same(["a b c d a b c d e"], [["a b c d e f g h i"]])
        ask.same([_close(draw, RIGHT)], [[RIGHT]])

    @behaviour("punishes what is shorter than its reference, and nothing else", points=3)
    def brevity(ask, draw):
        ask.same(["a b c d"], [["a b c d e"]])
        ask.same(["a b c d e f"], [["a b c d e"]])
        ask.same(["a b c d e"], [["e a b c d"]])
        ask.same(["a b c d"], [["a b c d e f g h i j k l"]])
        ask.same(["a b c d e", "a b c d"], [["a b c d"], ["a b c d e f g"]])

    @behaviour("of several references takes the length closest to its own, the shorter on a tie", points=2)
    def lengths(ask, draw):
        ask.same(
            ["a b c d e f g"],
            [["x y z d e f g h i j", "a b c d x", "a b c d e f g h", "q r s t u v w x y z q r"]],
        )
        ask.same(["a b c d e"], [["a b c d", "a b c d e f"]])
        ask.same(["a b c d e"], [["a b c d e f", "a b c d"]])
        ask.same(["a b c d e f"], [["a b c d e f g h", "a b c d e f g h i j k l"]])
        ask.same(["x a a b c d"], [["a b c d y z", "x a q q q q q q"]])

    @behaviour("adds up matches, totals and lengths over the corpus, and divides once", points=3)
    def corpus(ask, draw):
        ask.same(["a b c d", "a b c d e f x y"], [["a b c d"], ["a b c d e f g h"]])
        ask.same(["a b c d e", "f x h i"], [["a b c d"], ["f g h i j k l m"]])
        texts = [_text(draw, 6, 12) for _ in range(4)]
        ask.same([_close(draw, text) for text in texts], [[text] for text in texts])

    @behaviour("compares the tokens of `bleu_tokens`, in their case", points=1)
    def tokens(ask, draw):
        ask.same(["I am an engineer, he said."], [["I am an engineer , he said ."]])
        ask.same(["I am here now, he said."], [["I am here now. he said!"]])
        ask.same(["The cat is on the mat now."], [["the cat is on the mat now."]])
        ask.same(['"It costs 3.50 &amp; more", she said.'], [['" It costs 3.50 & more ", she says.']])

    @behaviour(
        "takes half a match where an order has none, then a quarter; 0 where nothing can match", points=2
    )
    def zero(ask, draw):
        ask.same(["a b c x d e f"], [["a b c y d e f"]])
        ask.same(["a b x c d y e"], [["a b q c d r e"]])
        ask.same(["a x b y c"], [["a b c d e"]])
        ask.same(["a b c"], [["a b c"]])
        ask.same(["a b c d e"], [["v w x y z"]])
        ask.same([""], [["a b c d"]])
        ask.same(["", "a b c d e"], [["a b"], ["a b c d e"]])
        ask.same([], [])

    @behaviour("refuses lists of different lengths, and leaves what it was given as it was", points=1)
    def refusal(ask, draw):
        ask.refuses("ValueError", ["a b c d", "a b c d"], [["a b c d"]])
        ask.refuses("ValueError", ["a b c d"], [["a b c d"], ["a b c d"]])
        ask.keeps_arguments(["a b c d e"], [["a b c d", "x"]])

    @mistake(
        "Nothing is clipped: a word repeated again and again is right each time. Count with "
        "`ngram_precision`, or match an n-gram at most as often as a reference has it.",
        breaks=precision,
    )
    def unclipped(hypotheses, references):
        def count(words, rights, n):
            found = ngrams(words, n)
            known = set().union(*(ngrams(right, n) for right in rights))
            return sum(times for gram, times in found.items() if gram in known), found.total()

        return _bleu(hypotheses, references, count=count)

    @mistake(
        "You take the arithmetic mean of the precisions: BLEU takes the geometric one, the fourth root of "
        "their product, so that no order can be made up for by another.",
        breaks=precision,
    )
    def arithmetic(hypotheses, references):
        return _bleu(hypotheses, references, mean=lambda shares: sum(shares) / 4)

    @mistake(
        "You multiply the precisions and take no root: divide the sum of the logarithms by four.",
        breaks=precision,
    )
    def without_root(hypotheses, references):
        return _bleu(hypotheses, references, mean=math.prod)

    @mistake(
        "Your score goes from 0 to 1: multiply by 100.",
        breaks=precision,
    )
    def from_zero_to_one(hypotheses, references):
        return _bleu(hypotheses, references, scale=1)

    @mistake(
        "You stop before the n-grams of four words: `range(4)` ends at 3, so add 1.",
        breaks=precision,
    )
    def three_orders(hypotheses, references):
        return _bleu(hypotheses, references, orders=3)

    @mistake(
        "You count n-grams of characters: BLEU counts those of words. Cut the text with `bleu_tokens` first.",
        breaks=precision,
    )
    def characters(hypotheses, references):
        return _bleu(hypotheses, references, tokens=list)

    @mistake(
        "There is no brevity penalty, or it never acts: to leave out all that is doubtful then costs "
        "nothing. Both lengths are numbers of tokens.",
        breaks=brevity,
    )
    def without_brevity(hypotheses, references):
        return _bleu(hypotheses, references, brevity=lambda length, wanted: 1.0)

    @mistake(
        "The brevity penalty is upside down: it punishes what is longer. It is exp(1 - reference / "
        "hypothesis), where the hypothesis is the shorter.",
        breaks=brevity,
    )
    def upside_down(hypotheses, references):
        return _bleu(
            hypotheses, references, brevity=lambda length, wanted: min(1.0, math.exp(1 - length / wanted))
        )

    @mistake(
        "The brevity penalty rewards what is longer than its reference: it never exceeds 1.",
        breaks=brevity,
    )
    def rewarded(hypotheses, references):
        return _bleu(hypotheses, references, brevity=lambda length, wanted: math.exp(1 - wanted / length))

    @mistake(
        "The brevity penalty is the ratio of lengths: BLEU takes exp(1 - reference / hypothesis).",
        breaks=brevity,
    )
    def ratio(hypotheses, references):
        return _bleu(hypotheses, references, brevity=lambda length, wanted: min(1.0, length / wanted))

    @mistake(
        "The length that counts is that of the shortest reference: it is that of the closest one.",
        breaks=lengths,
    )
    def shortest(hypotheses, references):
        return _bleu(hypotheses, references, closest=lambda length, lengths: min(lengths))

    @mistake(
        "The length that counts is that of the first reference: it is that of the closest one.",
        breaks=lengths,
    )
    def first_length(hypotheses, references):
        return _bleu(hypotheses, references, closest=lambda length, lengths: lengths[0])

    @mistake(
        "The length that counts is the average of the references': it is that of the closest one.",
        breaks=lengths,
    )
    def average_length(hypotheses, references):
        return _bleu(
            hypotheses, references, closest=lambda length, lengths: sum(lengths) / len(lengths)
        )  # fmt: skip

    @mistake(
        "On a tie the first reference counts: it is the shorter one, wherever it stands.",
        breaks=lengths,
    )
    def first_on_a_tie(hypotheses, references):
        return _bleu(
            hypotheses,
            references,
            closest=lambda length, lengths: min(lengths, key=lambda n: abs(n - length)),
        )

    @mistake(
        "On a tie the longer reference counts: it is the shorter one.",
        breaks=lengths,
    )
    def longer_on_a_tie(hypotheses, references):
        return _bleu(
            hypotheses,
            references,
            closest=lambda length, lengths: min(lengths, key=lambda n: (abs(n - length), -n)),
        )

    @mistake(
        "Only the first reference is read: matches may come from any of them, and the length from the "
        "closest.",
        breaks=lengths,
    )
    def first_reference(hypotheses, references):
        return _bleu(hypotheses, [rights[:1] for rights in references])

    @mistake(
        "Matches come from one reference alone, the closest in length: only the length does. N-grams may "
        "match any of them.",
        breaks=lengths,
    )
    def matches_of_the_closest(hypotheses, references):
        def count(words, rights, n):
            return _clipped(words, [min(rights, key=lambda right: abs(len(right) - len(words)))], n)

        return _bleu(hypotheses, references, count=count)

    @mistake(
        "You add the references up: two that have a word once each allow it once, not twice. Take for each "
        "n-gram the reference that has it most often.",
        breaks=lengths,
    )
    def sum_of_references(hypotheses, references):
        def count(words, rights, n):
            found = ngrams(words, n)
            return (found & sum((ngrams(right, n) for right in rights), Counter())).total(), found.total()

        return _bleu(hypotheses, references, count=count)

    @mistake(
        "You average the scores of sentences: BLEU is a score of a corpus. Add up matches, totals and "
        "lengths of all sentences, and divide once.",
        breaks=corpus,
    )
    def mean_of_sentences(hypotheses, references):
        pairs = zip(hypotheses, references, strict=True)
        scores = [_bleu([text], [rights]) for text, rights in pairs]
        return sum(scores) / len(scores)

    @mistake(
        "You average the precisions of sentences, order by order: add up matches and totals first, and "
        "divide once.",
        breaks=corpus,
    )
    def mean_of_precisions(hypotheses, references):
        number = len(hypotheses)

        def count(words, rights, n):
            hits, places = _clipped(words, rights, n)
            return (hits / places, 1) if places else (0, 0)

        return _bleu(hypotheses, references, count=count) if number else 0.0

    @mistake(
        "The brevity penalty is taken sentence by sentence and averaged: add up the lengths of the corpus "
        "first. A long sentence may make up for a short one.",
        breaks=corpus,
    )
    def brevity_by_sentence(hypotheses, references):
        penalties = []
        for text, rights in zip(hypotheses, references, strict=True):
            length = len(bleu_tokens(text))
            wanted = _closest(length, [len(bleu_tokens(right)) for right in rights])
            penalties.append(_brevity(length, wanted) if length else 0.0)
        return _bleu(
            hypotheses,
            references,
            brevity=lambda length, wanted: sum(penalties) / len(penalties),
        )

    @mistake(
        "You take half matches sentence by sentence, and they get into the sums. Add up first: only an order "
        "that matches nowhere in the corpus takes half a match.",
        breaks=corpus,
    )
    def smoothed_by_sentence(hypotheses, references):
        share = 1.0

        def count(words, rights, n):
            nonlocal share
            hits, places = _clipped(words, rights, n)
            share = 1.0 if n == 1 else share
            if places and not hits:
                share /= 2
                hits = share
            return hits, places

        def precisions(matched, total):
            return _halving(matched, total) if matched[0] >= 1 else None

        return _bleu(hypotheses, references, count=count, precisions=precisions)

    @mistake(
        "You take the whole corpus for one text: n-grams then reach from one sentence into the next.",
        breaks=corpus,
    )
    def one_text(hypotheses, references):
        for _ in zip(hypotheses, references, strict=True):
            pass
        rights = zip_longest(*references, fillvalue="")
        return _bleu([" ".join(hypotheses)], [[" ".join(column) for column in rights]])

    @mistake(
        "You cut at spaces alone: 'said.' is then another word than 'said'. Use `bleu_tokens`.",
        breaks=tokens,
    )
    def split_at_spaces(hypotheses, references):
        return _bleu(hypotheses, references, tokens=str.split)

    @mistake(
        "You compare in lower case: BLEU tells 'The' from 'the'.",
        breaks=tokens,
    )
    def lower_case(hypotheses, references):
        return _bleu(hypotheses, references, tokens=lambda text: bleu_tokens(text.lower()))

    @mistake(
        "You use the tokens of ROUGE: they have no marks and no capitals. Use `bleu_tokens`.",
        breaks=tokens,
    )
    def tokens_of_rouge(hypotheses, references):
        return _bleu(hypotheses, references, tokens=rouge_tokens)

    @mistake(
        "An order without a match makes the score 0: take half a match there, and a quarter at the next "
        "such order.",
        breaks=zero,
    )
    def unsmoothed(hypotheses, references):
        def precisions(matched, total):
            if not all(matched):
                return None
            return [hits / places for hits, places in zip(matched, total, strict=True)]

        return _bleu(hypotheses, references, precisions=precisions)

    @mistake(
        "Each order without a match takes half a match: halve again at each, so a quarter at the second.",
        breaks=zero,
    )
    def always_half(hypotheses, references):
        def precisions(matched, total):
            if not any(matched) or not all(total):
                return None
            return [(hits or 0.5) / places for hits, places in zip(matched, total, strict=True)]

        return _bleu(hypotheses, references, precisions=precisions)

    @mistake(
        "You add one to matches and totals: that changes all scores. Half a match is taken only where an "
        "order has none.",
        breaks=precision,
    )
    def plus_one(hypotheses, references):
        def precisions(matched, total):
            if not any(matched) or not all(total):
                return None
            counts = [*zip(matched, total, strict=True)]
            return [
                counts[0][0] / counts[0][1],
                *((hits + 1) / (places + 1) for hits, places in counts[1:]),
            ]

        return _bleu(hypotheses, references, precisions=precisions)

    @mistake(
        "Where nothing matches at all, half matches still make a score: it is 0.",
        breaks=zero,
    )
    def never_zero(hypotheses, references):
        def precisions(matched, total):
            if not all(total):
                return None
            share, shares = 1.0, []
            for hits, places in zip(matched, total, strict=True):
                share = share if hits else share / 2
                shares.append((hits or share) / places)
            return shares

        return _bleu(hypotheses, references, precisions=precisions)

    @mistake(
        "Orders of which there are no n-grams are left out: a corpus without any 4-gram scores 0.",
        breaks=zero,
    )
    def orders_there_are(hypotheses, references):
        def precisions(matched, total):
            orders = sum(map(bool, total))
            return _halving(matched[:orders], total[:orders])

        return _bleu(hypotheses, references, precisions=precisions)

    @mistake(
        "Without a match, or without 4-grams, it raises an error: the score is 0 there. Look before you "
        "divide or take a logarithm.",
        breaks=zero,
    )
    def unguarded(hypotheses, references):
        def precisions(matched, total):
            share, shares = 1.0, []
            for hits, places in zip(matched, total, strict=True):
                share = share if hits else share / 2
                shares.append((hits or share) / places)
            return shares

        return _bleu(hypotheses, references, precisions=precisions)

    @mistake(
        "Lists of different lengths are cut to the shorter one without a word: give `zip` `strict=True`.",
        breaks=refusal,
    )
    def cut_to_the_shorter(hypotheses, references):
        return _bleu(hypotheses, references, strict=False)


def _table(found, right):
    """The length of the longest common subsequence."""
    row = [0] * (len(right) + 1)
    for token in found:
        above, row = row, [0]
        for j, other in enumerate(right):
            row.append(above[j] + 1 if token == other else max(above[j + 1], row[j]))
    return row[-1]


def _f1(common, found, right):
    return 2 * common / (found + right) if common else 0.0


def _mean(scores):
    return sum(scores) / len(scores)


def _rouge_l(
    hypotheses,
    references,
    tokens=None,
    common=None,
    measure=None,
    best=max,
    over=None,
    scale=100,
    strict=True,
):
    """ROUGE-L, one step of which may be another one."""
    tokens, common = tokens or rouge_tokens, common or _table
    measure, over = measure or _f1, over or _mean
    scores = []
    for text, rights in zip(hypotheses, references, strict=strict):
        found, theirs = tokens(text), [*map(tokens, rights)]
        scores.append(best([measure(common(found, right), len(found), len(right)) for right in theirs]))
    return scale * over(scores)


class RougeL(Exercise):
    name = "rouge_l"
    solutions = solutions.evaluation
    forbidden = ("rouge_score",)

    @behaviour("measures the longest common subsequence, with gaps and in order", points=4)
    def subsequence(ask, draw):
        ask.same(["a b e x c y d"], [["a b e q c r d"]])
        ask.same(["a b c"], [["a a a"]])
        ask.same(["a a b c"], [["c b a a"]])
        ask.same(["d a b c"], [["a b c d"]])
        ask.same(["x y z a b c d"], [["a p b q c r d x y z"]])
        ask.same(["b a c d e"], [["a b c e d"]])
        ask.same(["a a a"], [["a b c"]])
        ask.same(["a b a b"], [["b a b a"]])
        ask.same(["e a b c d f"], [["a b c d e f"]])
        ask.same(["a b"], [["c d"]])
        ask.same([_text(draw, 9, 14)], [[_text(draw, 9, 14)]])

    @behaviour("is F1, from 0 to 100: precision and recall count the same", points=3)
    def f1(ask, draw):
        ask.same(["a b"], [["a b c d e"]])
        ask.same(["a b c d e"], [["a b"]])
        ask.same(["a b x"], [["y z a b q r"]])
        ask.same([_text(draw, 3, 5)], [[_text(draw, 12, 16)]])

    @behaviour("compares the tokens of `rouge_tokens`", points=1)
    def tokens(ask, draw):
        ask.same(["The cat sat down."], [["the cats, sat down"]])
        ask.same(["I'm 30 years-old, naïve"], [["I m 30 Years old: na ve!"]])

    @behaviour("takes the best score of several references", points=2)
    def several(ask, draw):
        ask.same(["a b c"], [["a x y", "x y z", "a b c d", "a b q r"]])
        ask.same(["a b c d"], [["a b", "a b c q r s t u v"]])
        ask.same([_text(draw, 6, 9)], [[_text(draw, 4, 12) for _ in range(3)]])

    @behaviour("is the mean over sentences, each counting the same", points=2)
    def mean(ask, draw):
        ask.same(["a b c d e f", "x u"], [["a b c d e f"], ["u v w y z q"]])
        ask.same(["a", "x b c d"], [["a"], ["y b z d q r"]])
        ask.same([_text(draw, 2, 9) for _ in range(3)], [[_text(draw, 2, 9)] for _ in range(3)])

    @behaviour("gives 0 to a text without tokens", points=1)
    def empty(ask, draw):
        ask.same(["", "a b"], [["a b"], ["a b c"]])
        ask.same(["a b"], [[""]])
        ask.same(["..."], [["?!"]])

    @behaviour("refuses lists of different lengths, and leaves what it was given as it was", points=1)
    def refusal(ask, draw):
        ask.refuses("ValueError", ["a b", "a"], [["a b"]])
        ask.refuses("ValueError", ["a b"], [["a b"], ["a"]])
        ask.keeps_arguments(["a x b"], [["a b", "b"]])

    @mistake(
        "You measure the longest common *substring*: the words of a subsequence need not stand side by side.",
        breaks=subsequence,
    )
    def substring(hypotheses, references):
        def common(found, right):
            longest = 0
            for i in range(len(found)):
                for j in range(len(right)):
                    n = 0
                    while i + n < len(found) and j + n < len(right) and found[i + n] == right[j + n]:
                        n += 1
                    longest = max(longest, n)
            return longest

        return _rouge_l(hypotheses, references, common=common)

    @mistake(
        "You count common words, wherever they stand: that is ROUGE-1. A subsequence keeps the order.",
        breaks=subsequence,
    )
    def bag_of_words(hypotheses, references):
        return _rouge_l(
            hypotheses, references, common=lambda found, right: (Counter(found) & Counter(right)).total()
        )

    @mistake(
        "You count the different words that both have: the order is lost, and repetitions too.",
        breaks=subsequence,
    )
    def set_of_words(hypotheses, references):
        return _rouge_l(hypotheses, references, common=lambda found, right: len({*found} & {*right}))

    @mistake(
        "You compare place by place: one word more at the beginning, and nothing fits any more. A "
        "subsequence may leave words out on either side; in a table, the larger of above and left is kept "
        "where words differ.",
        breaks=subsequence,
    )
    def by_place(hypotheses, references):
        return _rouge_l(
            hypotheses,
            references,
            common=lambda found, right: sum(a == b for a, b in zip(found, right, strict=False)),
        )

    @mistake(
        "You count common pairs of words: that is ROUGE-2.",
        breaks=subsequence,
    )
    def pairs_of_words(hypotheses, references):
        def common(found, right):
            return (Counter(pairwise(found)) & Counter(pairwise(right))).total()

        return _rouge_l(hypotheses, references, common=common)

    @mistake(
        "You take the first match for each word and never go back: an early word found late blocks all that "
        "follows. The longest subsequence needs the table, or a search through both choices.",
        breaks=subsequence,
    )
    def first_match(hypotheses, references):
        def common(found, right):
            place = matched = 0
            for token in found:
                if token in right[place:]:
                    place = right.index(token, place) + 1
                    matched += 1
            return matched

        return _rouge_l(hypotheses, references, common=common)

    @mistake(
        "A word of the hypothesis is used twice: on a match, add 1 to the number one row up *and* one "
        "column to the left.",
        breaks=subsequence,
    )
    def not_diagonal(hypotheses, references):
        def common(found, right):
            row = [0] * (len(right) + 1)
            for token in found:
                above, row = row, [0]
                for j, other in enumerate(right):
                    row.append(row[j] + 1 if token == other else max(above[j + 1], row[j]))
            return row[-1]

        return _rouge_l(hypotheses, references, common=common)

    @mistake(
        "`difflib` looks for the longest *block*, then left and right of it: its ratio is not that of the "
        "longest subsequence.",
        breaks=subsequence,
    )
    def by_difflib(hypotheses, references):
        def common(found, right):
            blocks = SequenceMatcher(None, found, right, autojunk=False).get_matching_blocks()
            return sum(block.size for block in blocks)

        return _rouge_l(hypotheses, references, common=common)

    @mistake(
        "You compare characters: ROUGE-L compares words. Cut the text with `rouge_tokens` first.",
        breaks=subsequence,
    )
    def characters(hypotheses, references):
        return _rouge_l(hypotheses, references, tokens=list)

    @mistake(
        "You return the precision: to say less and less raises it. F1 takes the recall as well.",
        breaks=f1,
    )
    def precision(hypotheses, references):
        return _rouge_l(
            hypotheses, references, measure=lambda common, found, right: common / max(1, found)
        )  # fmt: skip

    @mistake(
        "You return the recall: to say more and more raises it. F1 takes the precision as well.",
        breaks=f1,
    )
    def recall(hypotheses, references):
        return _rouge_l(
            hypotheses, references, measure=lambda common, found, right: common / max(1, right)
        )  # fmt: skip

    @mistake(
        "You take the arithmetic mean of precision and recall: F1 is the harmonic one, 2PR / (P + R).",
        breaks=f1,
    )
    def arithmetic(hypotheses, references):
        return _rouge_l(
            hypotheses,
            references,
            measure=lambda common, found, right: (common / max(1, found) + common / max(1, right)) / 2,
        )

    @mistake(
        "Recall weighs more than precision: here beta is 1, and both weigh the same. That is chrF.",
        breaks=f1,
    )
    def f2(hypotheses, references):
        return _rouge_l(
            hypotheses,
            references,
            measure=lambda common, found, right: 5 * common / max(1, 4 * right + found),
        )

    @mistake(
        "You divide by the length of the longer text: F1 divides twice the subsequence by the sum of both "
        "lengths.",
        breaks=f1,
    )
    def by_the_longer(hypotheses, references):
        return _rouge_l(
            hypotheses, references, measure=lambda common, found, right: common / max(1, found, right)
        )  # fmt: skip

    @mistake(
        "You divide by the length of the shorter text: to say little, or far too much, then costs nothing. "
        "F1 divides twice the subsequence by the sum of both lengths.",
        breaks=f1,
    )
    def by_the_shorter(hypotheses, references):
        return _rouge_l(
            hypotheses, references, measure=lambda common, found, right: common / max(1, min(found, right))
        )  # fmt: skip

    @mistake(
        "F1 is only half: it is *twice* the product over the sum.",
        breaks=f1,
    )
    def without_two(hypotheses, references):
        return _rouge_l(hypotheses, references, scale=50)

    @mistake(
        "Your score goes from 0 to 1: multiply by 100.",
        breaks=f1,
    )
    def from_zero_to_one(hypotheses, references):
        return _rouge_l(hypotheses, references, scale=1)

    @mistake(
        "You cut at spaces alone: 'sat.' is then another word than 'sat', and 'The' than 'the'. Use "
        "`rouge_tokens`.",
        breaks=tokens,
    )
    def split_at_spaces(hypotheses, references):
        return _rouge_l(hypotheses, references, tokens=str.split)

    @mistake(
        "You use the tokens of BLEU: there marks and capitals count, here they do not. Use `rouge_tokens`.",
        breaks=tokens,
    )
    def tokens_of_bleu(hypotheses, references):
        return _rouge_l(hypotheses, references, tokens=bleu_tokens)

    @mistake(
        "You take all letters for parts of words, as `\\w` does: to ROUGE only a to z and digits are, and "
        "'ï' divides a word in two. Use `rouge_tokens`.",
        breaks=tokens,
    )
    def all_letters(hypotheses, references):
        return _rouge_l(hypotheses, references, tokens=lambda text: re.findall(r"\w+", text.lower()))

    @mistake(
        "Only the first reference is read: the best of them counts.",
        breaks=several,
    )
    def first_reference(hypotheses, references):
        return _rouge_l(hypotheses, references, best=lambda scores: scores[0])

    @mistake(
        "The *worst* of the references counts: it is the best one.",
        breaks=several,
    )
    def worst(hypotheses, references):
        return _rouge_l(hypotheses, references, best=min)

    @mistake(
        "You average over the references: to be right once is to be right. Take the best.",
        breaks=several,
    )
    def mean_of_references(hypotheses, references):
        return _rouge_l(hypotheses, references, best=_mean)

    @mistake(
        "You choose the reference with the longest common subsequence: a long reference wins that way. "
        "Choose by F1.",
        breaks=several,
    )
    def longest_match(hypotheses, references):
        best = [
            [max(rights, key=lambda right, text=text: _table(rouge_tokens(text), rouge_tokens(right)))]
            for text, rights in zip(hypotheses, references, strict=True)
        ]
        return _rouge_l(hypotheses, best)

    @mistake(
        "You add up lengths over the corpus: that is how BLEU does it. ROUGE-L is the mean of the "
        "sentences' scores.",
        breaks=mean,
    )
    def summed_over_the_corpus(hypotheses, references):
        common = found = right = 0
        for text, rights in zip(hypotheses, references, strict=True):
            words = rouge_tokens(text)
            best = max(
                map(rouge_tokens, rights),
                key=lambda tokens, words=words: _f1(_table(words, tokens), len(words), len(tokens)),
            )
            common += _table(words, best)
            found += len(words)
            right += len(best)
        return 100 * _f1(common, found, right)

    @mistake(
        "You add the scores of the sentences and do not divide: a mean is wanted.",
        breaks=mean,
    )
    def sum_of_sentences(hypotheses, references):
        return _rouge_l(hypotheses, references, over=sum)

    @mistake(
        "A text without tokens raises an error: precision or recall would divide by nothing. Such a pair "
        "has 0.",
        breaks=empty,
    )
    def unguarded(hypotheses, references):
        return _rouge_l(
            hypotheses,
            references,
            measure=lambda common, found, right: 2 * common / (found + right) + 0 / found / right,
        )

    @mistake(
        "Texts without tokens are left out of the mean: to be silent then costs nothing. They count, with 0.",
        breaks=empty,
    )
    def without_the_empty(hypotheses, references):
        kept = [
            (text, rights)
            for text, rights in zip(hypotheses, references, strict=True)
            if rouge_tokens(text) and any(map(rouge_tokens, rights))
        ]
        return _rouge_l(*zip(*kept, strict=True)) if kept else 0.0

    @mistake(
        "Two texts without tokens are taken for equal: a pair without tokens has 0.",
        breaks=empty,
    )
    def nothing_is_equal(hypotheses, references):
        return _rouge_l(
            hypotheses,
            references,
            measure=lambda common, found, right: _f1(common, found, right) if found + right else 1.0,
        )

    @mistake(
        "Lists of different lengths are cut to the shorter one without a word: give `zip` `strict=True`.",
        breaks=refusal,
    )
    def cut_to_the_shorter(hypotheses, references):
        return _rouge_l(hypotheses, references, strict=False)


def _solid(text):
    return "".join(text.split())


def _triples(text, right, orders=6, grams=None, first=1):
    """Matches, n-grams of the hypothesis and n-grams of the reference, for each order."""
    grams, found = grams or ngrams, []
    for n in range(first, orders + 1):
        ours, theirs = grams(text, n), grams(right, n)
        found.append([(ours & theirs).total(), ours.total() if theirs else 0, theirs.total()])
    return found


def _f_beta(precision, recall, beta=2):
    if not precision or not recall:
        return 0.0
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


def _score(counts, f=None):
    both = [(hits / ours, hits / theirs) for hits, ours, theirs in counts if ours and theirs]
    if not both:
        return 0.0
    return (f or _f_beta)(*(sum(column) / len(both) for column in zip(*both, strict=True)))


def _summed(triples):
    return [[sum(column) for column in zip(*order, strict=True)] for order in zip(*triples, strict=True)]


def _chrf(
    hypotheses,
    references,
    characters=None,
    count=None,
    score=None,
    choose=max,
    over=None,
    scale=100,
    strict=True,
):
    """chrF, one step of which may be another one."""
    characters, count, score = characters or _solid, count or _triples, score or _score
    best = []
    for text, rights in zip(hypotheses, references, strict=strict):
        triples = [count(characters(text), characters(right)) for right in rights]
        best.append(choose(triples, key=score))
    return scale * (over(best) if over else score(_summed(best)))


class Chrf(Exercise):
    name = "chrf"
    solutions = solutions.evaluation
    forbidden = ("sacrebleu",)

    @behaviour("averages precision and recall over n from 1 to 6, and matches no n-gram too often", points=3)
    def orders(ask, draw):
        ask.same(["abcdefgh"], [["abcdefgh"]])
        ask.same(["abcdefgh"], [["abcdefgx"]])
        ask.same(["aaaaaaaa"], [["aabaabaa"]])
        ask.same(["abcabcabc"], [["xbcabcaby"]])
        ask.same(["wordorder"], [["orderword"]])
        ask.same([_solid(_close(draw, RIGHT))], [[_solid(RIGHT)]])

    @behaviour("is one F2 of the two averages, from 0 to 100: recall weighs more", points=3)
    def beta(ask, draw):
        ask.same(["abcdef"], [["abcdefghijkl"]])
        ask.same(["abcdefghijkl"], [["abcdef"]])
        ask.same([_solid(_text(draw, 6, 8))], [[_solid(_text(draw, 14, 18))]])

    @behaviour("counts every character but white space, in its case", points=2)
    def characters(ask, draw):
        ask.same([" abcdefgh "], [["abcdefgh"]])
        ask.same(["ab cd ef gh"], [["abc def gh"]])
        ask.same(["a\tb\u3000c  d"], [["abcd"]])
        ask.same(["The end"], [["the end"]])
        ask.same(["the end."], [["the end!"]])
        ask.same(["naïve café"], [["naive cafe"]])

    @behaviour("leaves out the orders of which one side has no n-grams", points=2)
    def short(ask, draw):
        ask.same(["abc"], [["abd"]])
        ask.same(["abc"], [["abcdefgh"]])
        ask.same(["abcdefgh"], [["abc"]])
        ask.same(["a"], [["a"]])
        ask.same(["abcdefgh", "abcdefgh"], [["abc"], ["abcdexyz"]])
        ask.same(["abc", "abcdefgh"], [["abcdefgh"], ["abcdexyz"]])

    @behaviour("takes of several references the one that scores best for its sentence", points=2)
    def several(ask, draw):
        ask.same(["abcdefgh"], [["abcdefxy", "qrstuvwx"]])
        ask.same(
            ["abcdefgh", "ijklmnop"],
            [["abcdefxyz", "qrstuvwx", "abcdxxxxxx"], ["qrstuvwxq", "ijklmnopq", "ijklxxxx"]],
        )
        ask.same(["abcdefgh"], [["abcdxxxx", "xxxxefgh"]])
        ask.same([_solid(_text(draw, 6, 9))], [[_solid(_text(draw, 4, 12)) for _ in range(3)]])

    @behaviour("adds up over the corpus before it divides", points=2)
    def corpus(ask, draw):
        ask.same(["abcdefgh", "abcdefghijklxy"], [["qrstuvwx"], ["abcdefghijklmn"]])
        texts = [_text(draw, 4, 12) for _ in range(3)]
        ask.same([_solid(_close(draw, text)) for text in texts], [[_solid(text)] for text in texts])

    @behaviour("gives 0 where nothing matches, and where there is nothing", points=1)
    def nothing(ask, draw):
        ask.same(["abc"], [["xyz"]])
        ask.same([""], [["abc"]])
        ask.same(["abc"], [[""]])
        ask.same(["", "abcdefg"], [["abc"], ["abcdefg"]])

    @behaviour("refuses lists of different lengths, and leaves what it was given as it was", points=1)
    def refusal(ask, draw):
        ask.refuses("ValueError", ["ab", "a"], [["ab"]])
        ask.refuses("ValueError", ["ab"], [["ab"], ["a"]])
        ask.keeps_arguments(["a x b"], [["a b", "b"]])

    @mistake(
        "You stop at n = 4: chrF goes to 6. Four is BLEU's number, of words.",
        breaks=orders,
    )
    def four_orders(hypotheses, references):
        return _chrf(hypotheses, references, count=lambda text, right: _triples(text, right, orders=4))

    @mistake(
        "You stop at n = 5: `range(1, 6)` ends before 6.",
        breaks=orders,
    )
    def five_orders(hypotheses, references):
        return _chrf(hypotheses, references, count=lambda text, right: _triples(text, right, orders=5))

    @mistake(
        "You begin at n = 2: single characters count as well.",
        breaks=orders,
    )
    def from_two(hypotheses, references):
        return _chrf(hypotheses, references, count=lambda text, right: _triples(text, right, first=2))

    @mistake(
        "Only n = 6 counts: precision and recall are averaged over n from 1 to 6.",
        breaks=orders,
    )
    def only_six(hypotheses, references):
        return _chrf(hypotheses, references, count=lambda text, right: _triples(text, right, first=6))

    @mistake(
        "Nothing is clipped: an n-gram is matched at most as often as the reference has it. `&` of two "
        "Counters takes the smaller number.",
        breaks=orders,
    )
    def unclipped(hypotheses, references):
        def count(text, right):
            found = []
            for n in range(1, 7):
                ours, theirs = ngrams(text, n), ngrams(right, n)
                hits = sum(times for gram, times in ours.items() if gram in theirs)
                found.append([hits, ours.total() if theirs else 0, theirs.total()])
            return found

        return _chrf(hypotheses, references, count=count)

    @mistake(
        "You count each n-gram once: one that stands twice in both texts counts twice. Use Counters, not "
        "sets.",
        breaks=orders,
    )
    def sets(hypotheses, references):
        def grams(text, n):
            return Counter(dict.fromkeys(ngrams(text, n), 1))

        return _chrf(hypotheses, references, count=lambda a, b: _triples(a, b, grams=grams))

    @mistake(
        "You put all orders into one pot: short n-grams, of which there are more, then weigh more. "
        "Precision and recall are taken for each n, and averaged.",
        breaks=orders,
    )
    def one_pot(hypotheses, references):
        def score(counts):
            return _score([[sum(column) for column in zip(*counts, strict=True)]])

        return _chrf(hypotheses, references, score=score)

    @mistake(
        "You average the F-scores of the six orders: chrF averages precision and recall first, and takes F "
        "once.",
        breaks=beta,
    )
    def mean_of_f(hypotheses, references):
        def score(counts):
            both = [_score([order]) for order in counts if order[1] and order[2]]
            return _mean(both) if both else 0.0

        return _chrf(hypotheses, references, score=score)

    @mistake(
        "You take geometric means over the orders, as BLEU does: chrF takes arithmetic ones.",
        breaks=orders,
    )
    def geometric(hypotheses, references):
        def score(counts):
            both = [(h / p, h / r) for h, p, r in counts if p and r]
            if not both or not all(p for p, _ in both):
                return 0.0
            return _f_beta(*(math.prod(column) ** (1 / len(both)) for column in zip(*both, strict=True)))

        return _chrf(hypotheses, references, score=score)

    @mistake(
        "You count n-grams of words: chrF counts those of characters.",
        breaks=orders,
    )
    def words(hypotheses, references):
        return _chrf(hypotheses, references, characters=str.split)

    @mistake(
        "Your score goes from 0 to 1: multiply by 100.",
        breaks=orders,
    )
    def from_zero_to_one(hypotheses, references):
        return _chrf(hypotheses, references, scale=1)

    @mistake(
        "Precision and recall weigh the same: chrF has beta = 2, F = 5PR / (4P + R).",
        breaks=beta,
    )
    def f1(hypotheses, references):
        return _chrf(
            hypotheses, references, score=lambda counts: _score(counts, lambda p, r: _f_beta(p, r, 1))
        )

    @mistake(
        "Beta is 3: that was the first paper. The score that is reported as chrF today has beta = 2.",
        breaks=beta,
    )
    def f3(hypotheses, references):
        return _chrf(
            hypotheses, references, score=lambda counts: _score(counts, lambda p, r: _f_beta(p, r, 3))
        )

    @mistake(
        "Beta is not squared: F = (1 + beta²)PR / (beta² P + R), so 5PR / (4P + R).",
        breaks=beta,
    )
    def not_squared(hypotheses, references):
        return _chrf(
            hypotheses, references, score=lambda counts: _score(counts, lambda p, r: _f_beta(p, r, 2**0.5))
        )

    @mistake(
        "Precision weighs more than recall: beta² belongs to the precision in the denominator, 4P + R, "
        "which makes the recall count more.",
        breaks=beta,
    )
    def exchanged(hypotheses, references):
        return _chrf(
            hypotheses, references, score=lambda counts: _score(counts, lambda p, r: _f_beta(r, p))
        )  # fmt: skip

    @mistake(
        "You return the precision alone: F2 takes the recall as well, and more so.",
        breaks=beta,
    )
    def precision(hypotheses, references):
        return _chrf(hypotheses, references, score=lambda counts: _score(counts, lambda p, r: p))

    @mistake(
        "You return the recall alone: F2 takes the precision as well.",
        breaks=beta,
    )
    def recall(hypotheses, references):
        return _chrf(hypotheses, references, score=lambda counts: _score(counts, lambda p, r: r))

    @mistake(
        "Spaces count: leave white space out first, `''.join(text.split())`.",
        breaks=characters,
    )
    def with_spaces(hypotheses, references):
        return _chrf(hypotheses, references, characters=lambda text: text)

    @mistake(
        "White space is left out at the ends only: it must go from within, too.",
        breaks=characters,
    )
    def stripped(hypotheses, references):
        return _chrf(hypotheses, references, characters=str.strip)

    @mistake(
        "Only the common space is left out: tabs, line ends and wide Chinese spaces are white space as "
        "well. `text.split()` knows them all.",
        breaks=characters,
    )
    def common_space_only(hypotheses, references):
        return _chrf(hypotheses, references, characters=lambda text: text.replace(" ", ""))

    @mistake(
        "You compare in lower case: chrF tells 'The' from 'the'.",
        breaks=characters,
    )
    def lower_case(hypotheses, references):
        return _chrf(hypotheses, references, characters=lambda text: _solid(text).lower())

    @mistake(
        "Marks are left out: only white space is.",
        breaks=characters,
    )
    def without_marks(hypotheses, references):
        return _chrf(
            hypotheses,
            references,
            characters=lambda text: "".join(letter for letter in text if letter.isalnum()),
        )

    @mistake(
        "You count bytes: 'ï' has two, and a Chinese character three. Count characters, do not `encode`.",
        breaks=characters,
    )
    def utf8(hypotheses, references):
        return _chrf(hypotheses, references, characters=lambda text: _solid(text).encode())

    @mistake(
        "You always divide by six: a text of three characters has no n-grams of four, and would never reach "
        "100. Average over the orders of which both sides have n-grams.",
        breaks=short,
    )
    def always_six(hypotheses, references):
        def score(counts):
            both = [(h / max(1, p), h / max(1, r)) for h, p, r in counts]
            return _f_beta(*(sum(column) / 6 for column in zip(*both, strict=True)))

        return _chrf(hypotheses, references, score=score)

    @mistake(
        "Where only one side has n-grams of an order, it still counts, with 0: leave out every order of "
        "which one side has none.",
        breaks=short,
    )
    def either_side(hypotheses, references):
        def score(counts):
            one = [(h / max(1, p), h / max(1, r)) for h, p, r in counts if p or r]
            return _f_beta(*(sum(column) / len(one) for column in zip(*one, strict=True))) if one else 0.0

        def count(text, right):
            found = []
            for n in range(1, 7):
                ours, theirs = ngrams(text, n), ngrams(right, n)
                found.append([(ours & theirs).total(), ours.total(), theirs.total()])
            return found

        return _chrf(hypotheses, references, score=score, count=count)

    @mistake(
        "N-grams of the hypothesis count even where the reference is too short to have any of that order: "
        "they could not have matched. In that sentence, leave that order's out.",
        breaks=short,
    )
    def could_not_match(hypotheses, references):
        def count(text, right):
            found = []
            for n in range(1, 7):
                ours, theirs = ngrams(text, n), ngrams(right, n)
                found.append([(ours & theirs).total(), ours.total(), theirs.total()])
            return found

        return _chrf(hypotheses, references, count=count)

    @mistake(
        "N-grams of the reference do not count where the hypothesis is too short: then to say little costs "
        "less. They count; only those of the hypothesis are left out, where the reference has none.",
        breaks=short,
    )
    def only_in_both(hypotheses, references):
        def count(text, right):
            return [order if order[1] else [0, 0, 0] for order in _triples(text, right)]

        return _chrf(hypotheses, references, count=count)

    @mistake(
        "Only the first reference is read: the one that scores best counts.",
        breaks=several,
    )
    def first_reference(hypotheses, references):
        return _chrf(hypotheses, references, choose=lambda triples, key: triples[0])

    @mistake(
        "The *worst* of the references counts: it is the best one.",
        breaks=several,
    )
    def worst(hypotheses, references):
        return _chrf(hypotheses, references, choose=min)

    @mistake(
        "You choose the reference that is closest in length, as BLEU does: chrF takes the one that scores "
        "best for the sentence.",
        breaks=several,
    )
    def closest_in_length(hypotheses, references):
        def choose(triples, key):
            return min(triples, key=lambda counts: abs(counts[0][1] - counts[0][2]))

        return _chrf(hypotheses, references, choose=choose)

    @mistake(
        "You choose one reference for the whole corpus: each sentence takes the one that scores best for "
        "itself.",
        breaks=several,
    )
    def one_for_all(hypotheses, references):
        columns = zip_longest(*references)
        kept = [[right or rights[-1] for right, rights in zip(c, references, strict=True)] for c in columns]
        return max(
            (_chrf(hypotheses, [[right] for right in column]) for column in kept),
            default=_chrf(hypotheses, references),
        )

    @mistake(
        "You put the references together, as BLEU does: chrF takes one of them, the one that scores best "
        "for the sentence.",
        breaks=several,
    )
    def together(hypotheses, references):
        def choose(triples, key):
            return triples[0]

        joined = ["".join(map(_solid, rights)) for rights in references]
        grams = {}
        for number, rights in enumerate(references):
            for n in range(1, 7):
                most = Counter()
                for right in rights:
                    most |= ngrams(_solid(right), n)
                grams[number, n] = most
        if len(hypotheses) != len(joined):
            raise ValueError("different numbers")
        best = []
        for number, text in enumerate(hypotheses):
            found = []
            for n in range(1, 7):
                ours, theirs = ngrams(_solid(text), n), grams[number, n]
                found.append([(ours & theirs).total(), ours.total() if theirs else 0, theirs.total()])
            best.append(found)
        return 100 * _score(_summed(best))

    @mistake(
        "You average the scores of sentences: add up matches and n-grams of all sentences first, then "
        "divide.",
        breaks=corpus,
    )
    def mean_of_sentences(hypotheses, references):
        return _chrf(hypotheses, references, over=lambda best: _mean([*map(_score, best)]))

    @mistake(
        "Where nothing matches, or a text is empty, it raises an error: the score is 0 there. Look before "
        "you divide.",
        breaks=nothing,
    )
    def unguarded(hypotheses, references):
        def score(counts):
            both = [(h / p, h / r) for h, p, r in counts if p and r]
            precision = sum(p for p, _ in both) / len(both)
            recall = sum(r for _, r in both) / len(both)
            return 5 * precision * recall / (4 * precision + recall)

        return _chrf(hypotheses, references, score=score)

    @mistake(
        "Sentences without a text are left out: to be silent then costs nothing. Their references count.",
        breaks=nothing,
    )
    def without_the_empty(hypotheses, references):
        kept = [(text, rights) for text, rights in zip(hypotheses, references, strict=True) if text.strip()]
        return _chrf(*zip(*kept, strict=True)) if kept else 0.0

    @mistake(
        "Lists of different lengths are cut to the shorter one without a word: give `zip` `strict=True`.",
        breaks=refusal,
    )
    def cut_to_the_shorter(hypotheses, references):
        return _chrf(hypotheses, references, strict=False)


def _layers(draw, number, *shape):
    """Weights (batch, heads, length, length) of some layers: rows that sum to one."""
    return [draw.scores(*shape).softmax(dim=-1) for _ in range(number)]


def _rollout(weights, step=None, join=None):
    """Rollout, one step of which may be another one."""
    step = step or (lambda layer: _halved(layer.mean(dim=1)))
    join = join or (lambda later, earlier: later @ earlier)
    mixed = None
    for layer in weights:
        mixed = step(layer) if mixed is None else join(step(layer), mixed)
    return mixed


def _own(matrix):
    return torch.eye(matrix.shape[-1]).to(matrix)


def _halved(matrix):
    matrix = matrix + _own(matrix)
    return matrix / matrix.sum(dim=-1, keepdim=True)


class AttentionRollout(Exercise):
    name = "attention_rollout"
    solutions = solutions.evaluation

    @behaviour("averages the heads, and adds the half that goes past the attention", points=3)
    def layer(ask, draw):
        ask.same([torch.tensor([[[[0.2, 0.8], [0.5, 0.5]], [[0.6, 0.4], [0.1, 0.9]]]])])
        ask.same(_layers(draw, 1, 1, 1, 3, 3))
        ask.same(_layers(draw, 1, 2, 4, 3, 3))

    @behaviour("multiplies the layers, the last one leftmost", points=3)
    def layers(ask, draw):
        rows = [[0.9, 0.1], [0.3, 0.7]], [[0.2, 0.8], [0.5, 0.5]], [[0.0, 1.0], [0.4, 0.6]]
        ask.same([torch.tensor([[layer]]) for layer in rows])
        ask.same(_layers(draw, 2, 2, 3, 4, 4))
        ask.same(_layers(draw, 4, 1, 2, 3, 3))

    @behaviour("divides each row by its sum, so that a row that sees nothing keeps itself alone", points=2)
    def empty(ask, draw):
        ask.same([torch.tensor([[[[0.2, 0.8], [0.0, 0.0]]]])])
        weights = _layers(draw, 2, 2, 2, 4, 4)
        for layer in weights:
            layer[1, :, 2:] = 0
            layer[0, 0, 1] = 0  # one head sees nothing there, the other one does
        ask.same(weights)

    @behaviour("takes the type and the device of the weights, and leaves them as they were", points=1)
    def neighbourly(ask, draw):
        weights = _layers(draw, 2, 2, 2, 3, 3)
        ask.keeps_arguments(weights)
        ask.same([layer.double() for layer in weights])
        ask.same([layer.bfloat16() for layer in weights[:1]])
        ask.follows_device(weights)

    @mistake(
        "The residual path is missing: half of what a token has goes past the attention. Add the identity "
        "to each layer before you multiply.",
        breaks=layer,
    )
    def without_residual(weights):
        return _rollout(weights, lambda layer: layer.mean(dim=1))

    @mistake(
        "You add the identity and do not halve: rows then sum to two, and after six layers to 64. Divide "
        "each row by its sum.",
        breaks=layer,
    )
    def not_halved(weights):
        return _rollout(weights, lambda layer: layer.mean(dim=1) + _own(layer))

    @mistake(
        "You add the heads and then the identity: with many heads their sum outweighs the residual path. "
        "Average them first.",
        breaks=layer,
    )
    def sum_of_heads(weights):
        return _rollout(weights, lambda layer: _halved(layer.sum(dim=1)))

    @mistake(
        "You take the largest of the heads: rollout takes their mean.",
        breaks=layer,
    )
    def largest_head(weights):
        return _rollout(weights, lambda layer: _halved(layer.amax(dim=1)))

    @mistake(
        "You look at the first head alone: rollout takes the mean of all of them.",
        breaks=layer,
    )
    def first_head(weights):
        return _rollout(weights, lambda layer: _halved(layer[:, 0]))

    @mistake(
        "You keep the heads apart: average them first, so that (batch, length, length) is left.",
        breaks=layer,
    )
    def each_head(weights):
        return _rollout(weights, _halved)

    @mistake(
        "You take the softmax of weights that have had one: that makes them nearly equal. Divide by the sum.",
        breaks=layer,
    )
    def softmax_again(weights):
        return _rollout(weights, lambda layer: (layer.mean(dim=1) + _own(layer)).softmax(dim=-1))

    @mistake(
        "Rows and columns are exchanged: entry (i, j) says how much of token j is in state i.",
        breaks=layer,
    )
    def transposed(weights):
        return _rollout(weights).mT

    @mistake(
        "The product is the wrong way round: what the last layer reads was mixed by the ones before, so the "
        "last layer stands leftmost.",
        breaks=layers,
    )
    def first_leftmost(weights):
        return _rollout(weights, join=lambda later, earlier: earlier @ later)

    @mistake(
        "You multiply number by number: layers follow one another, which is a product of matrices, `@`.",
        breaks=layers,
    )
    def by_numbers(weights):
        return _rollout(weights, join=lambda later, earlier: later * earlier)

    @mistake(
        "You average the layers: they follow one another, which is a product of matrices, `@`.",
        breaks=layers,
    )
    def mean_of_layers(weights):
        return _rollout(weights, join=lambda later, earlier: later + earlier) / len(weights)

    @mistake(
        "Only the last layer counts: multiply it with those before.",
        breaks=layers,
    )
    def last_layer(weights):
        return _rollout(weights[-1:])

    @mistake(
        "The first layer is left out: begin the product with it, or with the identity.",
        breaks=layers,
    )
    def first_left_out(weights):
        return _rollout(weights[1:] if len(weights) > 1 else weights)

    @mistake(
        "The residual path is added once, at the end: every layer has one. Add the identity to each before "
        "you multiply.",
        breaks=layers,
    )
    def residual_at_the_end(weights):
        return _halved(_rollout(weights, lambda layer: layer.mean(dim=1)))

    @mistake(
        "The row of a query that sees nothing sums to a half: divide each row by its sum after the token "
        "itself has been added.",
        breaks=empty,
    )
    def halved_only(weights):
        return _rollout(weights, lambda layer: (layer.mean(dim=1) + _own(layer)) / 2)

    @mistake(
        "You divide each head by its own sum and average then: where one head sees nothing and another one "
        "does, that is another share. Average the heads first.",
        breaks=empty,
    )
    def each_head_divided(weights):
        return _rollout(weights, lambda layer: _halved(layer).mean(dim=1))

    @mistake(
        "You divide the weights by their sums before the identity is added: a row of zeros becomes NaN. Add "
        "the identity first.",
        breaks=empty,
    )
    def nan_rows(weights):
        def step(layer):
            matrix = layer.mean(dim=1)
            return _halved(matrix / matrix.sum(dim=-1, keepdim=True))

        return _rollout(weights, step)

    @mistake(
        "You write into the weights you were given: `+=` changes them for everybody. Write `layer + "
        "identity`.",
        breaks=neighbourly,
    )
    def in_place(weights):
        def step(layer):
            layer += _own(layer)
            return layer.mean(dim=1) / layer.mean(dim=1).sum(dim=-1, keepdim=True)

        return _rollout(weights, step)

    @mistake(
        "Your result is float32 whatever the weights are: make the identity of their type.",
        breaks=neighbourly,
    )
    def always_float32(weights):
        return _rollout([layer.float() for layer in weights])

    @mistake(
        "Your identity is made on the CPU: give `torch.eye` the device of the weights.",
        breaks=neighbourly,
    )
    def on_the_cpu(weights):
        def step(layer):
            matrix = layer.mean(dim=1) + torch.eye(layer.shape[-1], dtype=layer.dtype)
            return matrix / matrix.sum(dim=-1, keepdim=True)

        return _rollout(weights, step)
