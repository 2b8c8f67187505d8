"""The exercises of chapter 01, answered in other ways. All of them are right."""

import re
from collections import Counter, OrderedDict, defaultdict
from functools import cache, reduce
from itertools import chain, pairwise, zip_longest

import torch
from torch.nn.utils.rnn import pad_sequence

from solutions.tokens import byte_symbols, count_pairs, merge_pair, split_words


class CountPairs:
    answers = "count_pairs"

    def with_zip(words):
        pairs = {}
        for word, count in words.items():
            for place, right in enumerate(word[1:]):
                pair = word[place], right
                pairs[pair] = pairs.get(pair, 0) + count
        return pairs

    def with_indices(words):
        pairs = defaultdict(int)
        for word in words:
            for i in range(len(word) - 1):
                pairs[(word[i], word[i + 1])] += words[word]
        return pairs

    def with_counters(words):
        counters = [Counter({p: n * c for p, n in Counter(pairwise(w)).items()}) for w, c in words.items()]
        return sum(counters, Counter())

    def with_repetition(words):
        repeated = chain.from_iterable(list(pairwise(word)) * count for word, count in words.items())
        return OrderedDict(Counter(repeated))

    def with_previous(words):
        pairs = {}
        for word, count in words.items():
            previous = None
            for symbol in word:
                if previous is not None:
                    pairs.setdefault((previous, symbol), 0)
                    pairs[previous, symbol] += count
                previous = symbol
        return pairs


class MergePair:
    answers = "merge_pair"

    def with_while(symbols, pair):
        merged, i = [], 0
        while i < len(symbols):
            if i < len(symbols) - 1 and symbols[i] == pair[0] and symbols[i + 1] == pair[1]:
                merged.append(symbols[i] + symbols[i + 1])
                i += 2
            else:
                merged.append(symbols[i])
                i += 1
        return merged

    def with_regular_expression(symbols, pair):
        left, right = map(re.escape, pair)
        return tuple(
            re.sub(rf"(?<!\S){left} {right}(?!\S)", lambda _: "".join(pair), " ".join(symbols)).split()
        )

    def with_recursion(symbols, pair):
        if len(symbols) < 2:
            return tuple(symbols)
        first, second, *rest = symbols
        if (first, second) == tuple(pair):
            return (first + second, *MergePair.with_recursion(rest, pair))
        return (first, *MergePair.with_recursion((second, *rest), pair))

    def with_slices(symbols, pair):
        tokens, place = list(symbols), 0
        while place < len(tokens):
            if tuple(tokens[place : place + 2]) == pair:
                tokens[place : place + 2] = ["".join(pair)]
            place += 1
        return tuple(tokens)

    def with_a_search(symbols, pair):
        tokens, start = list(symbols), 0
        while pair[0] in tokens[start:-1]:
            place = tokens.index(pair[0], start)
            if tokens[place + 1] == pair[1]:
                tokens = [*tokens[:place], pair[0] + pair[1], *tokens[place + 2 :]]
            start = place + 1
        return tuple(tokens)

    def with_an_iterator(symbols, pair):
        tokens, merged = iter(symbols), []
        token = next(tokens, None)
        while token is not None:
            after = next(tokens, None)
            if after is not None and (token, after) == pair:
                token, after = token + after, next(tokens, None)
            merged.append(token)
            token = after
        return tuple(merged)


class TrainBPE:
    answers = "train_bpe"

    def with_the_exercises(corpus, n_merges):
        words = Counter(tuple(word) for word in split_words(corpus))
        age = {symbol: i for i, symbol in enumerate(sorted({s for word in words for s in word}))}
        merges = {}
        for rank in range(n_merges):
            pairs = count_pairs(words)
            if not pairs:
                break
            best = max(pairs, key=lambda pair: (pairs[pair], -age[pair[0]], -age[pair[1]]))
            merges[best] = rank
            age[best[0] + best[1]] = len(age)
            words = {tuple(merge_pair(word, best)): count for word, count in words.items()}
        return merges

    def with_sorting(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        vocabulary = sorted(set(chain.from_iterable(words)))
        merges = OrderedDict()
        while len(merges) < n_merges:
            pairs = Counter(chain.from_iterable(map(pairwise, words)))
            ranked = sorted(pairs, key=lambda p: (vocabulary.index(p[0]), vocabulary.index(p[1])))
            ranked.sort(key=pairs.get, reverse=True)
            if not ranked:
                return merges
            left, right = ranked[0]
            merges[left, right] = len(merges)
            vocabulary.append(left + right)
            for word in words:
                i = 0
                while i < len(word) - 1:
                    if word[i] == left and word[i + 1] == right:
                        word[i : i + 2] = [left + right]
                    i += 1
        return merges

    def with_numbers(corpus, n_merges):
        """Tokens are numbers, given in the order in which they are made, so that ties settle themselves."""
        counts = Counter(split_words(corpus))
        tokens = sorted({symbol for word in counts for symbol in word})
        number = {symbol: i for i, symbol in enumerate(tokens)}
        words = [([number[symbol] for symbol in word], count) for word, count in counts.items()]
        learned = []
        while len(learned) < n_merges:
            pairs = defaultdict(int)
            for word, count in words:
                for i in range(1, len(word)):
                    pairs[word[i - 1], word[i]] += count
            if len(pairs) == 0:
                break
            _, left, right = min((-count, *pair) for pair, count in pairs.items())
            learned.append((tokens[left], tokens[right]))
            tokens.append(tokens[left] + tokens[right])
            for word, _ in words:
                for i in range(len(word) - 1, 0, -1):
                    run = i
                    while run > 0 and left == right and word[run - 1 : run + 1] == [left, right]:
                        run -= 1
                    if word[i - 1 : i + 1] == [left, right] and (left != right or (i - run) % 2):
                        word[i - 1 : i + 1] = [len(tokens) - 1]
        return {pair: rank for rank, pair in enumerate(learned)}

    def with_updated_counts(corpus, n_merges):
        counts = Counter(split_words(corpus))
        words = {word: tuple(word) for word in counts}
        pairs = Counter()
        for word, count in counts.items():
            for pair in pairwise(word):
                pairs[pair] += count
        age = {symbol: -i for i, symbol in enumerate(sorted(set("".join(counts))))}
        merges = {}
        while len(merges) < n_merges and (left := +pairs):
            best = max(left, key=lambda pair: (left[pair], age[pair[0]], age[pair[1]]))
            merges[best] = len(merges)
            age.setdefault("".join(best), -len(age))
            for word, tokens in words.items():
                if best in pairwise(tokens):
                    pairs.subtract({p: n * counts[word] for p, n in Counter(pairwise(tokens)).items()})
                    words[word] = merge_pair(tokens, best)
                    for pair in pairwise(words[word]):
                        pairs[pair] += counts[word]
        return merges


class Encode:
    answers = "encode"

    def with_merges_in_turn(text, merges):
        words = [tuple(word) for word in split_words(text)]
        for pair in sorted(merges, key=merges.get):
            words = [merge_pair(word, pair) for word in words]
        return [token for word in words for token in word]

    def with_infinity(text, merges):
        written = []
        for word in split_words(text):
            tokens = list(word)
            while True:
                ranks = [merges.get(pair, float("inf")) for pair in pairwise(tokens)]
                if not ranks or min(ranks) == float("inf"):
                    break
                place = ranks.index(min(ranks))
                tokens[place : place + 2] = [tokens[place] + tokens[place + 1]]
            written.extend(tokens)
        return written

    def with_a_cache(text, merges):
        @cache
        def encoded(word):
            tokens = tuple(word)
            while known := {merges[pair]: pair for pair in pairwise(tokens) if pair in merges}:
                tokens = merge_pair(tokens, known[min(known)])
            return tokens

        return tuple(chain.from_iterable(map(encoded, split_words(text))))

    def with_recursion(text, merges):
        def encoded(tokens):
            known = [pair for pair in pairwise(tokens) if pair in merges]
            if not known:
                return tokens
            left, right = sorted(known, key=lambda pair: merges[pair])[0]
            merged = []
            for token in tokens:
                if merged and merged[-1] == left and token == right:
                    merged[-1] = left + right
                else:
                    merged.append(token)
            return encoded(merged)

        return reduce(lambda written, word: [*written, *encoded(list(word))], split_words(text), [])

    def with_a_list_of_merges(text, merges):
        ordered = [pair for pair, _ in sorted(merges.items(), key=lambda item: item[1])]
        words = [" ".join(word) for word in split_words(text)]
        for left, right in ordered:
            pattern = re.compile(rf"(?<!\S){re.escape(left)} {re.escape(right)}(?!\S)")
            words = [pattern.sub((left + right).replace("\\", r"\\"), word) for word in words]
        return " ".join(words).split()


class Decode:
    answers = "decode"

    def with_index(tokens):
        symbols = byte_symbols()
        return bytes([symbols.index(s) for token in tokens for s in token]).decode(errors="replace")

    def with_bytearray(tokens):
        written = bytearray()
        byte_of = dict(zip(byte_symbols(), range(256), strict=True))
        for token in tokens:
            for symbol in token:
                written.append(byte_of[symbol])
        return str(written, "utf-8", "replace")

    def with_translate(tokens):
        table = str.maketrans({symbol: chr(byte) for byte, symbol in enumerate(byte_symbols())})
        return "".join(tokens).translate(table).encode("latin-1").decode("utf-8", "replace")

    def with_sum_of_bytes(tokens):
        byte_of = {symbol: bytes([byte]) for byte, symbol in enumerate(byte_symbols())}
        joined = reduce(lambda text, token: text + token, tokens, "")
        return b"".join(map(byte_of.get, joined)).decode("utf-8", errors="replace")


class PadBatch:
    answers = "pad_batch"

    def with_lists(sequences, pad_id):
        longest = max(len(sequence) for sequence in sequences)
        rows = [list(sequence) + [pad_id] * (longest - len(sequence)) for sequence in sequences]
        return torch.tensor(rows)

    def with_pad_sequence(sequences, pad_id):
        rows = [torch.tensor(sequence, dtype=torch.int64) for sequence in sequences]
        return pad_sequence(rows, batch_first=True, padding_value=pad_id)

    def with_zip_longest(sequences, pad_id):
        return torch.tensor(list(zip_longest(*sequences, fillvalue=pad_id)), dtype=torch.long).T

    def with_loops(sequences, pad_id):
        batch = torch.zeros(len(sequences), max([len(s) for s in sequences]), dtype=torch.long) + pad_id
        for i, sequence in enumerate(sequences):
            for j, token_id in enumerate(sequence):
                batch[i, j] = token_id
        return batch

    def with_pad(sequences, pad_id):
        longest = max(map(len, sequences))
        rows = [torch.LongTensor(s) for s in sequences]
        return torch.stack([torch.nn.functional.pad(r, (0, longest - len(r)), value=pad_id) for r in rows])
