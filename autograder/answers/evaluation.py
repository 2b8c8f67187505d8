"""The exercises of chapter 09, answered in other ways. All of them are right."""

import math
import re
from collections import Counter, defaultdict
from functools import cache
from itertools import zip_longest

import torch
from torch.nn import functional as F

from solutions.evaluation import bleu_tokens, ngram_precision, ngrams, rouge_tokens


class Perplexity:
    answers = "perplexity"

    def with_log_softmax(logits, target_ids, pad_id):
        likely = logits.float().log_softmax(dim=-1)
        chosen = likely.gather(-1, target_ids.unsqueeze(-1)).squeeze(-1)
        real = (target_ids != pad_id).float()
        return torch.exp(-(chosen * real).sum() / real.sum())

    def with_real_tokens_only(logits, target_ids, pad_id):
        real = target_ids != pad_id
        return F.cross_entropy(logits[real].float(), target_ids[real]).exp()

    def with_axes_exchanged(logits, target_ids, pad_id):
        logits = logits.to(torch.float32).reshape(-1, logits.shape[-1])
        loss = F.cross_entropy(
            logits.T.unsqueeze(0), target_ids.reshape(1, -1), ignore_index=pad_id, reduction="sum"
        )
        return torch.exp(loss / (target_ids != pad_id).sum())

    def with_logsumexp(logits, target_ids, pad_id):
        logits = logits.float()
        right = torch.take_along_dim(logits, target_ids[..., None], dim=-1)[..., 0]
        losses = logits.logsumexp(dim=-1) - right
        return losses[target_ids.ne(pad_id)].mean().exp()

    def with_powers_of_two(logits, target_ids, pad_id):
        loss = F.nll_loss(
            F.log_softmax(logits.float().flatten(end_dim=-2), dim=-1),
            target_ids.flatten(),
            ignore_index=pad_id,
        )
        return 2 ** (loss / math.log(2))


class NgramPrecision:
    answers = "ngram_precision"

    def with_loops(hypothesis, references, n):
        matched = total = 0
        left = {}
        for i in range(len(hypothesis) - n + 1):
            gram = tuple(hypothesis[i : i + n])
            if gram not in left:
                left[gram] = 0
                for right in references:
                    places = range(len(right) - n + 1)
                    times = sum(tuple(right[j : j + n]) == gram for j in places)
                    left[gram] = max(left[gram], times)
            total += 1
            if left[gram] > 0:
                left[gram] -= 1
                matched += 1
        return matched, total

    def with_zip(hypothesis, references, n):
        def grams(tokens):
            return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))

        found = grams(hypothesis)
        known = [grams(right) for right in references]
        matched = 0
        for gram, count in found.items():
            matched += min(count, max(right[gram] for right in known))
        return matched, max(0, len(hypothesis) - n + 1)

    def with_strings(hypothesis, references, n):
        def grams(tokens):
            return ["\x1f".join(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]

        found = grams(hypothesis)
        most = {gram: max(grams(right).count(gram) for right in references) for gram in found}
        return sum(min(found.count(gram), most[gram]) for gram in set(found)), len(found)

    def as_a_list(hypothesis, references, n):
        most = defaultdict(int)
        for right in references:
            for gram, count in ngrams(right, n).items():
                most[gram] = max(most[gram], count)
        found = ngrams(hypothesis, n)
        return [sum(min(count, most[gram]) for gram, count in found.items()), sum(found.values())]

    def with_what_is_too_much(hypothesis, references, n):
        found = ngrams(hypothesis, n)
        allowed = Counter()
        for right in references:
            allowed = allowed | ngrams(right, n)
        return found.total() - (found - allowed).total(), found.total()


class Bleu:
    answers = "bleu"

    def with_logarithms(hypotheses, references):
        if len(hypotheses) != len(references):
            raise ValueError("as many lists of references as hypotheses, please")
        statistics = [[0, 0] for _ in range(4)]
        c = r = 0
        for hypothesis, rights in zip(hypotheses, references, strict=True):
            tokens = bleu_tokens(hypothesis)
            others = [bleu_tokens(right) for right in rights]
            c += len(tokens)
            r += sorted((abs(len(other) - len(tokens)), len(other)) for other in others)[0][1]
            for n in range(1, 5):
                hits, total = ngram_precision(tokens, others, n)
                statistics[n - 1][0] += hits
                statistics[n - 1][1] += total
        if sum(hits for hits, _ in statistics) == 0 or statistics[3][1] == 0:
            return 0.0
        k, mean = 0, 0.0
        for hits, total in statistics:
            if hits == 0:
                k += 1
                mean += 0.25 * math.log(1 / (2**k * total))
            else:
                mean += 0.25 * math.log(hits / total)
        return 100.0 * math.exp(min(0.0, 1 - r / c) + mean)

    def with_tensors(hypotheses, references):
        if len(hypotheses) != len(references):
            raise ValueError(f"{len(hypotheses)} and {len(references)}")
        counts = torch.zeros(4, 2, dtype=torch.float64)
        lengths = torch.zeros(2, dtype=torch.float64)
        for i in range(len(hypotheses)):
            words, others = bleu_tokens(hypotheses[i]), list(map(bleu_tokens, references[i]))
            closest = len(others[0])
            for other in others:
                new, old = abs(len(other) - len(words)), abs(closest - len(words))
                if new < old or (new == old and len(other) < closest):
                    closest = len(other)
            lengths += torch.tensor([len(words), closest])
            counts += torch.tensor([ngram_precision(words, others, n) for n in (1, 2, 3, 4)])
        matched, total = counts.T
        if not matched.any() or not total.all():
            return 0.0
        halves = 0.5 ** (matched == 0).cumsum(0)
        shares = torch.where(matched == 0, halves, matched) / total
        penalty = torch.exp(1 - lengths[1] / lengths[0]).clamp(max=1)
        return (100 * penalty * shares.prod() ** 0.25).item()

    def with_own_counts(hypotheses, references):
        rows = []
        for hypothesis, rights in zip(hypotheses, references, strict=True):
            words, others = bleu_tokens(hypothesis), [bleu_tokens(right) for right in rights]
            row = [len(words), min((abs(len(o) - len(words)), len(o)) for o in others)[1]]
            for n in range(1, 5):
                most = Counter()
                for other in others:
                    most |= ngrams(other, n)
                found = ngrams(words, n)
                row += [sum((found & most).values()), sum(found.values())]
            rows.append(row)
        length, wanted, *counts = map(sum, zip([0] * 10, *rows, strict=True))
        precisions, half = [], 1
        for hits, total in zip(counts[::2], counts[1::2], strict=True):
            if total == 0:
                return 0.0
            if hits == 0:
                half *= 2
                precisions.append(100 / (half * total))
            else:
                precisions.append(100 * hits / total)
        if not any(counts[::2]):
            return 0.0
        brevity = 1.0 if length >= wanted else math.exp(1 - wanted / length)
        return brevity * math.prod(precisions) ** (1 / 4)

    def with_early_returns(hypotheses, references):
        assert_same = len(hypotheses) - len(references)
        if assert_same:
            raise ValueError("different lengths")
        cut = [bleu_tokens(text) for text in hypotheses]
        cut_rights = [[bleu_tokens(text) for text in rights] for rights in references]
        logarithm, misses = 0.0, 0
        for n in (1, 2, 3, 4):
            pairs = [ngram_precision(a, b, n) for a, b in zip(cut, cut_rights, strict=True)]
            hits, total = sum(p[0] for p in pairs), sum(p[1] for p in pairs)
            if total == 0 or (n == 1 and hits == 0):
                return 0.0
            if hits == 0:
                misses += 1
            logarithm += math.log(hits if hits else 2.0**-misses) - math.log(total)
        length = sum(map(len, cut))
        wanted = 0
        for words, rights in zip(cut, cut_rights, strict=True):
            by_length = sorted(map(len, rights))
            wanted += min(by_length, key=lambda n, words=words: abs(n - len(words)))
        if length < wanted:
            logarithm += 4 * (1 - wanted / length)
        return 100 * math.exp(logarithm / 4)


class RougeL:
    answers = "rouge_l"

    def with_a_table(hypotheses, references):
        def lcs(a, b):
            table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
            for i in range(1, len(a) + 1):
                for j in range(1, len(b) + 1):
                    if a[i - 1] == b[j - 1]:
                        table[i][j] = table[i - 1][j - 1] + 1
                    else:
                        table[i][j] = max(table[i - 1][j], table[i][j - 1])
            return table[-1][-1]

        if len(hypotheses) != len(references):
            raise ValueError("different numbers")
        total = 0.0
        for hypothesis, rights in zip(hypotheses, references, strict=True):
            a, best = rouge_tokens(hypothesis), 0.0
            for right in rights:
                b = rouge_tokens(right)
                common = lcs(a, b)
                if common:
                    precision, recall = common / len(a), common / len(b)
                    best = max(best, 2 * precision * recall / (precision + recall))
            total += best
        return 100 * total / len(hypotheses)

    def with_recursion(hypotheses, references):
        def f1(text, right):
            a, b = rouge_tokens(text), rouge_tokens(right)

            @cache
            def common(i, j):
                if i == len(a) or j == len(b):
                    return 0
                if a[i] == b[j]:
                    return 1 + common(i + 1, j + 1)
                return max(common(i + 1, j), common(i, j + 1))

            return 2 * common(0, 0) / (len(a) + len(b)) if a or b else 0.0

        pairs = list(zip(hypotheses, references, strict=True))
        return sum(100 * max(f1(text, right) for right in rights) for text, rights in pairs) / len(pairs)

    def with_increasing_places(hypotheses, references):
        """Hunt and Szymanski: the longest increasing run of places at which words match."""
        if len(hypotheses) != len(references):
            raise ValueError("different numbers")
        scores = []
        for text, rights in zip(hypotheses, references, strict=True):
            found, best = rouge_tokens(text), 0.0
            for right in map(rouge_tokens, rights):
                ends = []
                for token in found:
                    for place in [j for j in range(len(right)) if right[j] == token][::-1]:
                        slot = sum(end < place for end in ends)
                        ends[slot : slot + 1] = [place]
                if ends:
                    best = max(best, 2 * len(ends) / (len(found) + len(right)))
            scores.append(best)
        return 100 * sum(scores) / len(scores)

    def with_bits(hypotheses, references):
        """Allison and Dix: a row of the table as the bits of one number."""
        scores = []
        for text, rights in zip(hypotheses, references, strict=True):
            a = rouge_tokens(text)
            found = []
            for b in map(rouge_tokens, rights):
                row = 0
                for token in a:
                    matches = sum(1 << j for j, other in enumerate(b) if other == token)
                    x = row | matches
                    row = x & ~(x - ((row << 1) | 1))
                found.append(200 * row.bit_count() / max(len(a) + len(b), 1))
            scores.append(max(found))
        return sum(scores) / len(scores)


class Chrf:
    answers = "chrf"

    def with_lists(hypotheses, references):
        def statistics(text, right):
            a, b = re.sub(r"\s+", "", text), re.sub(r"\s+", "", right)
            numbers = []
            for n in range(1, 7):
                ours = Counter(a[i : i + n] for i in range(len(a) - n + 1))
                theirs = Counter(b[i : i + n] for i in range(len(b) - n + 1))
                hits = sum(min(count, theirs[gram]) for gram, count in ours.items())
                numbers += [hits, sum(ours.values()) if theirs else 0, sum(theirs.values())]
            return numbers

        def score(numbers):
            precision, recall, orders = 0.0, 0.0, 0
            for n in range(0, 18, 3):
                hits, ours, theirs = numbers[n : n + 3]
                if ours > 0 and theirs > 0:
                    precision += hits / ours
                    recall += hits / theirs
                    orders += 1
            if precision + recall == 0:
                return 0.0
            precision, recall = precision / orders, recall / orders
            return 100 * 5 * precision * recall / (4 * precision + recall)

        if len(hypotheses) != len(references):
            raise ValueError("different numbers")
        total = [0] * 18
        for text, rights in zip(hypotheses, references, strict=True):
            best, best_score = None, -1.0
            for right in rights:
                numbers = statistics(text, right)
                if score(numbers) > best_score:
                    best, best_score = numbers, score(numbers)
            total = [a + b for a, b in zip(total, best, strict=True)]
        return score(total)

    def with_tensors(hypotheses, references):
        def counts(text, right):
            rows = []
            for n in range(1, 7):
                a, b = ngrams("".join(text.split()), n), ngrams("".join(right.split()), n)
                rows.append([(a & b).total(), a.total() * bool(b), b.total()])
            return torch.tensor(rows, dtype=torch.float64)

        def f(counts):
            hits, ours, theirs = counts.T
            both = (ours > 0) & (theirs > 0)
            if not hits.any():
                return 0.0
            precision, recall = (hits / ours)[both].mean(), (hits / theirs)[both].mean()
            return (5 / (4 / recall + 1 / precision)).item()

        total = torch.zeros(6, 3, dtype=torch.float64)
        for text, rights in zip(hypotheses, references, strict=True):
            total += max([counts(text, right) for right in rights], key=f)
        return 100 * f(total)

    def with_pairs_of_sides(hypotheses, references):
        if len(hypotheses) != len(references):
            raise ValueError
        rows = []
        for text, rights in zip(hypotheses, references, strict=True):
            rows.append(max((_sides(text, right) for right in rights), key=_f2))
        return _f2([tuple(map(sum, zip(*column, strict=True))) for column in zip(*rows, strict=True)])

    def with_what_is_too_much(hypotheses, references):
        def order(text, right, n):
            a, b = ngrams(text, n), ngrams(right, n)
            return (a.total() - (a - b).total(), a.total() if b.total() else 0, b.total())

        def measure(orders):
            kept = [o for o in orders if min(o[1:]) > 0]
            p, r = sum(o[0] / o[1] for o in kept), sum(o[0] / o[2] for o in kept)
            return 0.0 if p == 0 else 5 * p * r / (4 * p + r) / len(kept)

        sums = [(0, 0, 0)] * 6
        for text, rights in zip_longest(hypotheses, references):
            if text is None or rights is None:
                raise ValueError("one list is longer")
            text = "".join(letter for letter in text if not letter.isspace())
            choices = []
            for right in rights:
                right = "".join(letter for letter in right if not letter.isspace())
                choices.append([order(text, right, n) for n in range(1, 7)])
            best = choices[max(range(len(choices)), key=lambda k: measure(choices[k]))]
            sums = [tuple(x + y for x, y in zip(a, b, strict=True)) for a, b in zip(sums, best, strict=True)]
        return 100 * measure(sums)


def _sides(text, right):
    found = []
    for n in range(1, 7):
        ours, theirs = (ngrams("".join(side.split()), n) for side in (text, right))
        found.append(((ours & theirs).total(), ours.total() if theirs else 0, theirs.total()))
    return found


def _f2(counts):
    shares = [(h / a, h / b) for h, a, b in counts if a * b]
    if not any(h for h, _, _ in counts):
        return 0.0
    precision = math.fsum(p for p, _ in shares) / len(shares)
    recall = math.fsum(r for _, r in shares) / len(shares)
    return 100 * (1 + 2**2) * precision * recall / (2**2 * precision + recall)


class AttentionRollout:
    answers = "attention_rollout"

    def from_the_identity(weights):
        result = torch.eye(weights[0].size(-1), dtype=weights[0].dtype, device=weights[0].device)
        result = result.expand(weights[0].size(0), -1, -1)
        for layer in weights:
            averaged = layer.mean(1)
            eye = torch.eye(averaged.size(-1), dtype=layer.dtype, device=layer.device)
            mixed = 0.5 * averaged + 0.5 * eye
            result = torch.bmm(mixed / mixed.sum(-1, keepdim=True), result)
        return result

    def with_einsum(weights):
        rollout = None
        for layer in weights:
            step = torch.einsum("bhij->bij", layer) / layer.shape[1]
            step = step + torch.diag_embed(torch.ones_like(step[..., 0]))
            step = step / torch.einsum("bij->bi", step)[..., None]
            rollout = step if rollout is None else torch.einsum("bij,bjk->bik", step, rollout)
        return rollout

    def with_normalize(weights):
        steps = []
        for layer in weights:
            step = layer.mean(dim=1) + torch.eye(layer.shape[-1], device=layer.device, dtype=layer.dtype)
            steps.append(F.normalize(step, p=1, dim=-1))
        result = steps.pop()
        while steps:
            result = result @ steps.pop()
        return result

    def with_the_diagonal(weights):
        result = None
        for layer in weights:
            step = layer.mean(dim=-3).clone()
            step.diagonal(dim1=-2, dim2=-1).add_(1)
            step /= step.sum(dim=-1, keepdim=True)
            result = step if result is None else step.matmul(result)
        return result

    def stacked_and_chained(weights):
        stacked = torch.stack(list(weights)).mean(dim=2)
        stacked = stacked + torch.eye(stacked.shape[-1]).to(stacked)
        stacked = stacked / stacked.sum(dim=-1, keepdim=True)
        return _chain(stacked)


def _chain(steps):
    first, *rest = steps
    return first if not rest else _chain(rest) @ first
