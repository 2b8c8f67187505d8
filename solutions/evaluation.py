"""How good a model and its texts are. The reference solution of chapter 09.

Scores of texts go from 0 to 100. `references[i]` are the right texts for
`hypotheses[i]`, one or more.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from solutions.cross_attention import attention_weights
from solutions.transformer import Transformer, sequence_loss


def perplexity(
    logits: Float[Tensor, "*batch vocab"],
    target_ids: Int[Tensor, "*batch"],
    pad_id: int,
) -> Float[Tensor, ""]:
    """Among how many tokens, all as likely, the model is in doubt.

    The exponential of the mean cross-entropy, in nats, over all tokens
    that are no padding, in float32 whatever the type of the logits, and
    on their device.
    Source: Jelinek et al. 1977.
    """
    return sequence_loss(logits.float(), target_ids, pad_id).exp()


def ngrams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """Count each sequence of n tokens that stand side by side."""
    places = range(len(tokens) - n + 1)
    return Counter(tuple(tokens[i : i + n]) for i in places)


def ngram_precision(
    hypothesis: Sequence[str], references: Sequence[Sequence[str]], n: int
) -> tuple[int, int]:
    """How many n-grams of a hypothesis are matched, and how many it has.

    An n-gram is matched at most as often as it stands in that reference
    which has it most often.
    Source: Papineni et al. 2002, section 2.1.
    """
    found = ngrams(hypothesis, n)
    most = Counter()
    for reference in references:
        most |= ngrams(reference, n)
    return (found & most).total(), found.total()


def bleu_tokens(text: str) -> list[str]:
    """Cut a text into words and marks as BLEU's standard tokenizer does.

    Source: mteval-v13a of NIST, which sacrebleu calls 13a.
    """
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "")
    text = text.replace("\n", " ").replace("&quot;", '"')
    text = text.replace("&amp;", "&").replace("&lt;", "<")
    text = f" {text.replace('&gt;', '>')} "
    text = re.sub(r"([{-~[-` -&(-+:-@/])", r" \1 ", text)
    text = re.sub(r"([^0-9])([.,])", r"\1 \2 ", text)
    text = re.sub(r"([.,])([^0-9])", r" \1 \2", text)
    return re.sub(r"([0-9])(-)", r"\1 \2 ", text).split()


def bleu(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> float:
    """Corpus BLEU: the geometric mean of four precisions, times brevity.

    Matches, totals and lengths are summed over the corpus first. Of
    several references the one closest in length counts, the shorter on a
    tie. Where n-grams of an order exist and none is matched, half a match
    is taken, and a quarter at the next such order; without any match at
    all, or without 4-grams, the score is 0. ValueError where the numbers
    of hypotheses and references differ.
    Source: Papineni et al. 2002; smoothing: Chen and Cherry 2014,
    method 3.
    """
    matched, total, length, wanted = [0] * 4, [0] * 4, 0, 0
    for text, rights in zip(hypotheses, references, strict=True):
        tokens, rights = bleu_tokens(text), [*map(bleu_tokens, rights)]
        lengths = map(len, rights)
        wanted += min(lengths, key=lambda n: (abs(n - len(tokens)), n))
        length += len(tokens)
        for n in range(4):
            counts = ngram_precision(tokens, rights, n + 1)
            matched[n] += counts[0]
            total[n] += counts[1]
    if not any(matched) or not all(total):
        return 0.0
    share, logarithms = 1.0, 0.0
    for hits, places in zip(matched, total, strict=True):
        if not hits:
            share /= 2
        logarithms += math.log((hits or share) / places)
    brevity = min(1.0, math.exp(1 - wanted / length))
    return 100 * brevity * math.exp(logarithms / 4)


def rouge_tokens(text: str) -> list[str]:
    """Cut a text into runs of letters a to z and digits, in lower case.

    Source: the tokenizer of rouge-score, without stemming.
    """
    return re.findall("[a-z0-9]+", text.lower())


def rouge_l(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> float:
    """ROUGE-L: the mean F1 of the longest common subsequences.

    Precision is the length of the subsequence over that of the hypothesis,
    recall over that of the reference, in tokens; of several references the
    best F1 counts, and a text without tokens has 0. ValueError where the
    numbers of hypotheses and references differ.
    Source: Lin 2004, section 3, with beta = 1.
    """

    def f1(found: list[str], right: list[str]) -> float:
        row = [0] * (len(right) + 1)  # of the table of lengths
        for token in found:
            above, row = row, [0]
            for j, other in enumerate(right):
                longest = max(above[j + 1], row[j])
                row.append(above[j] + 1 if token == other else longest)
        return 2 * row[-1] / max(1, len(found) + len(right))

    scores = [
        max(f1(rouge_tokens(text), rouge_tokens(right)) for right in rights)
        for text, rights in zip(hypotheses, references, strict=True)
    ]
    return 100 * sum(scores) / max(1, len(scores))


def chrf(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> float:
    """Corpus chrF: F2 of the n-grams of characters, n from 1 to 6.

    White space is left out. Matches and numbers of n-grams are summed over
    the corpus; of several references the one with the best score for its
    sentence counts, the first of equals, and where it has no n-grams of an
    order, those of the hypothesis do not count either. Precision and recall
    are averaged over the orders of which both sides have n-grams; without
    any match the score is 0. ValueError where the numbers of hypotheses
    and references differ.
    Source: Popović 2015, with beta = 2 of Popović 2016.
    """

    def counts(text: str, right: str) -> list[tuple[int, int, int]]:
        text, right = "".join(text.split()), "".join(right.split())
        found = []
        for n in range(1, 7):
            ours, theirs = ngrams(text, n), ngrams(right, n)
            shown = ours.total() if theirs else 0
            found.append(((ours & theirs).total(), shown, theirs.total()))
        return found

    def f2(counts: list[tuple[int, int, int]]) -> float:
        both = [(hits / p, hits / r) for hits, p, r in counts if p and r]
        if not any(hits for hits, _, _ in counts):
            return 0.0
        precision, recall = (
            sum(x) / len(both) for x in zip(*both, strict=True)
        )
        return 5 * precision * recall / (4 * precision + recall)

    best = [
        max((counts(text, right) for right in rights), key=f2)
        for text, rights in zip(hypotheses, references, strict=True)
    ]
    summed = [
        [sum(x) for x in zip(*order, strict=True)]
        for order in zip(*best, strict=True)
    ]
    return 100 * f2(summed)


def looks(
    model: Transformer,
    source_ids: Int[Tensor, "batch source"],
    input_ids: Int[Tensor, "batch target"],
) -> tuple[list[Float[Tensor, "batch heads query key"]], ...]:
    """Weights of encoder, past and memory, each a list over the layers."""
    attentions = (
        [layer.self_attention for layer in model.encoder.layers],
        [layer.self_attention for layer in model.decoder.layers],
        [layer.cross_attention for layer in model.decoder.layers],
    )
    given = {}

    def note(module, inputs, keywords):
        given[module] = *inputs, *keywords.values()

    modules = [module for kind in attentions for module in kind]
    hooks = [
        m.register_forward_pre_hook(note, with_kwargs=True) for m in modules
    ]
    with torch.no_grad():
        model(source_ids, input_ids)
        for hook in hooks:
            hook.remove()
        return tuple(
            [attention_weights(m, given[m][0], *given[m][-2:]) for m in kind]
            for kind in attentions
        )


def attention_rollout(
    weights: Sequence[Float[Tensor, "batch heads length length"]],
) -> Float[Tensor, "batch length length"]:
    """How much of each token is in each state after all layers.

    `weights` are those of the layers of self-attention, the first one
    first. In each, heads are averaged, half of what a token has is its own,
    past the attention, and rows are divided by their sums; the layers are
    multiplied, the last one leftmost. Type and device are those of the
    weights.
    Source: Abnar and Zuidema 2020, section 3.
    """
    mixed = None
    for layer in weights:
        own = torch.eye(layer.shape[-1]).to(layer)
        step = layer.mean(dim=1) + own
        step = step / step.sum(dim=-1, keepdim=True)
        mixed = step if mixed is None else step @ mixed
    return mixed
