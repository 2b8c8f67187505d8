"""What the six steps from text to a batch in chapter 01 must do, and how they go wrong."""

import codecs
import re
from collections import Counter
from itertools import combinations, pairwise

import torch

import solutions.tokens
from autograder.exercises.specification import Exercise, behaviour, mistake
from solutions.tokens import WORD, byte_symbols, split_words, train_bpe

ENGLISH = "She is here. He is there. Is he here, or is she there? They are where the others were. "
CHINESE = "我是老师。他是老师。老师是我的老师，他不是我的老师。"
MERGES = train_bpe(ENGLISH + CHINESE, 40)


def _word(draw, letters, longest):
    return "".join(letters[draw.integer(0, len(letters) - 1)] for _ in range(draw.integer(1, longest)))


def _words(draw):
    letters = ("a", "b", "c", "ab")
    drawn = [[letters[draw.integer(0, 3)] for _ in range(draw.integer(1, 6))] for _ in range(6)]
    return {tuple(word): draw.integer(2, 9) for word in drawn}


def _corpus(draw, n_merges):
    """A text from which no token is learned in two ways, so that all ways to apply its merges agree."""
    while True:
        text = " ".join(_word(draw, "abCx1", 5) for _ in range(7))
        text = f"{text}\n{text}"  # no pair occurs once
        merges = train_bpe(text, n_merges)
        if len({"".join(pair) for pair in merges}) == len(merges) == n_merges:
            return text


class CountPairs(Exercise):
    name = "count_pairs"
    solutions = solutions.tokens

    @behaviour("counts every pair of neighbours, as often as it stands in a word", points=2)
    def neighbours(ask, draw):
        ask.same({("a", "b", "c", "d"): 1})
        ask.same({("c", "a", "b", "c", "a"): 1})
        ask.same({("a", "a", "a"): 1})
        ask.same({("Ġ", "I", "Ġ", "i", "Ċ"): 1})
        ask.same({("th", "e"): 1, ("t", "he"): 1, ("the",): 1})
        ask.same({("b",): 4})
        ask.same({})
        ask.same({word: 1 for word in _words(draw)})
        ask.same({byte_symbols()[33:140]: 1})

    @behaviour("counts a pair as often as its words occur", points=1)
    def occurrences(ask, draw):
        ask.same({("a", "b"): 3})
        ask.same({("a", "b"): 3, ("b", "a", "b"): 2, ("a", "b", "c"): 40})
        ask.same(_words(draw))

    @behaviour("is right without changing the words it is given", points=1)
    def neighbourly(ask, draw):
        ask.keeps_arguments({("a", "b"): 1})
        ask.keeps_arguments(_words(draw))

    @mistake(
        "You count each word once: a pair must count as often as its word occurs in the text. "
        "Add the word's count, not 1.",
        breaks=occurrences,
    )
    def words_once(words):
        return Counter(pair for word in words for pair in pairwise(word))

    @mistake(
        "You return a list: what is wanted is a dictionary from each pair to its count. A `Counter` is one, "
        "what its `most_common` and `items` give is none.",
        breaks=neighbours,
    )
    def as_a_list(words):
        pairs = Counter()
        for word, count in words.items():
            for pair in pairwise(word):
                pairs[pair] += count
        return pairs.most_common()

    @mistake(
        "You set a pair's count where you should add to it: what earlier words gave is lost. Write `+=`.",
        breaks=neighbours,
    )
    def set_not_added(words):
        pairs = {}
        for word, count in words.items():
            for pair in pairwise(word):
                pairs[pair] = count
        return pairs

    @mistake(
        "A pair that stands twice in one word is counted once: do not make a set of a word's pairs.",
        breaks=neighbours,
    )
    def once_in_a_word(words):
        pairs = Counter()
        for word, count in words.items():
            for pair in set(pairwise(word)):
                pairs[pair] += count
        return pairs

    @mistake(
        "The last pair of each word is missing: a word of n tokens has n - 1 pairs.",
        breaks=neighbours,
    )
    def last_pair_missing(words):
        pairs = Counter()
        for word, count in words.items():
            for place in range(len(word) - 2):
                pairs[word[place], word[place + 1]] += count
        return pairs

    @mistake(
        "You go on from the end of a word to its beginning: its last token has no right neighbour. "
        "Negative indices and `%` wrap around.",
        breaks=neighbours,
    )
    def around_the_end(words):
        pairs = Counter()
        for word, count in words.items():
            for place in range(len(word)):
                pairs[word[place - 1], word[place]] += count
        return pairs

    @mistake(
        "You cut each word into pieces of two: tokens 2 and 3 are neighbours as well as 1 and 2. "
        "Move on by one token, not by two.",
        breaks=neighbours,
    )
    def every_second_pair(words):
        pairs = Counter()
        for word, count in words.items():
            for place in range(0, len(word) - 1, 2):
                pairs[word[place], word[place + 1]] += count
        return pairs

    @mistake(
        "You take the words apart into characters: a token may be longer than one. Count neighbours among "
        "the items of the tuple, do not join them.",
        breaks=neighbours,
    )
    def characters(words):
        pairs = Counter()
        for word, count in words.items():
            for pair in pairwise("".join(word)):
                pairs[pair] += count
        return pairs

    @mistake(
        "Your keys are joined strings: 'th' with 'e' and 't' with 'he' then become one. The key is the pair "
        "itself, a tuple of two tokens.",
        breaks=neighbours,
    )
    def joined_keys(words):
        pairs = Counter()
        for word, count in words.items():
            for left, right in pairwise(word):
                pairs[left + right] += count
        return pairs

    @mistake(
        "You take a pair and its reverse for the same: ('a', 'b') and ('b', 'a') are two pairs. "
        "Leave the two tokens in the order they stand.",
        breaks=neighbours,
    )
    def sorted_pairs(words):
        pairs = Counter()
        for word, count in words.items():
            for pair in pairwise(word):
                pairs[tuple(sorted(pair))] += count
        return pairs

    @mistake(
        "A pair of equal tokens is not counted where it overlaps: in ('a', 'a', 'a') the pair ('a', 'a') "
        "stands twice.",
        breaks=neighbours,
    )
    def without_overlaps(words):
        pairs = Counter()
        for word, count in words.items():
            begun = None
            for pair in pairwise(word):
                begun = None if pair == begun and pair[0] == pair[1] else pair
                if begun:
                    pairs[pair] += count
        return pairs

    @mistake(
        "You empty the dictionary you were given: whoever called you still needs the words. Go through "
        "`words.items()` instead of taking them out.",
        breaks=neighbourly,
    )
    def in_place(words):
        pairs = Counter()
        while words:
            word, count = words.popitem()
            for pair in pairwise(word):
                pairs[pair] += count
        return pairs

    @mistake(
        "You leave out pairs of two equal tokens: ('a', 'a') is a pair like any other.",
        breaks=neighbours,
    )
    def equal_left_out(words):
        pairs = Counter()
        for word, count in words.items():
            for left, right in pairwise(word):
                if left != right:
                    pairs[left, right] += count
        return pairs

    @mistake(
        "You count any two tokens of a word, as `combinations` gives them: a pair are two tokens that stand "
        "side by side.",
        breaks=neighbours,
    )
    def any_two(words):
        pairs = Counter()
        for word, count in words.items():
            for pair in combinations(word, 2):
                pairs[pair] += count
        return pairs

    @mistake(
        "You count across the border of two words, the last token of one with the first of the next: take "
        "the pairs of each word by itself.",
        breaks=neighbours,
    )
    def across_words(words):
        pairs = Counter()
        stream = [(token, count) for word, count in words.items() for token in word]
        for (left, count), (right, _) in pairwise(stream):
            pairs[left, right] += count
        return pairs


class MergePair(Exercise):
    name = "merge_pair"
    solutions = solutions.tokens

    @behaviour("joins every occurrence of the pair, and keeps all else in its order", points=2)
    def joins(ask, draw):
        ask.same(("c", "a", "b"), ("a", "b"))
        ask.same(("a", "b", "c", "a", "b", "b"), ("a", "b"))
        ask.same(("th", "e", "r", "e", "th", "e"), ("th", "e"))
        ask.same(("a", "b", "a", "b"), ("a", "b"))
        ask.same(("a", "b"), ("a", "b"))
        ask.same(("b", "a"), ("a", "b"))
        ask.same(("c", "a"), ("a", "b"))
        ask.same(("a",), ("a", "b"))
        ask.same(("a", "c", "a", "b"), ("a", "b"))
        ask.same(("a", "a", "b"), ("a", "b"))
        for _ in range(2):
            word = tuple(_word(draw, "abc", 9))
            ask.same((*word, "a", "b", *word), ("a", "b"))

    @behaviour("leaves alone what only looks like the pair", points=1)
    def nothing_else(ask, draw):
        ask.same(("wi", "n"), ("i", "n"))
        ask.same(("i", "ng"), ("i", "n"))
        ask.same(("a", "bc", "ab", "c"), ("ab", "c"))
        ask.same(("ab", "c", "a", "bc", "abc"), ("a", "bc"))
        ask.same(("a", "b", "a", "."), ("a", "."))
        ask.same(("n", "\\", "n", "\\", "1"), ("\\", "n"))
        ask.same((), ("a", "b"))

    @behaviour("goes from left to right where occurrences overlap", points=1)
    def overlaps(ask, draw):
        ask.same(("a", "a", "a"), ("a", "a"))
        ask.same(("b", *["a"] * 4, "b"), ("a", "a"))
        ask.same(("ab",) * (2 * draw.integer(2, 4) + 1), ("ab", "ab"))

    @behaviour("takes a list as well, and leaves it as it was", points=1)
    def neighbourly(ask, draw):
        ask.keeps_arguments(["c", "a", "b"], ("a", "b"))
        ask.keeps_arguments(["a", "b", *_word(draw, "abc", 9)], ("a", "b"))

    @mistake(
        "You join only the first occurrence: go on to the end of the word.",
        breaks=joins,
    )
    def first_only(symbols, pair):
        for place in range(len(symbols) - 1):
            if tuple(symbols[place : place + 2]) == pair:
                return (*symbols[:place], "".join(pair), *symbols[place + 2 :])
        return tuple(symbols)

    @mistake(
        "You join text, not tokens: with ('i', 'n') the tokens 'wi', 'n' are joined too, because 'wi n' "
        "contains 'i n'. Compare whole tokens.",
        breaks=nothing_else,
    )
    def text_replaced(symbols, pair):
        return tuple(" ".join(symbols).replace(" ".join(pair), "".join(pair)).split())

    @mistake(
        "You compare the two tokens joined together: 'a', 'bc' reads like 'ab', 'c' and is another pair. "
        "Compare the first with the first and the second with the second.",
        breaks=nothing_else,
    )
    def compared_as_text(symbols, pair):
        merged, place = [], 0
        while place < len(symbols):
            if place + 1 < len(symbols) and symbols[place] + symbols[place + 1] == pair[0] + pair[1]:
                merged.append(pair[0] + pair[1])
                place += 2
            else:
                merged.append(symbols[place])
                place += 1
        return tuple(merged)

    @mistake(
        "The last token is lost where it belongs to no pair: after the loop over pairs one token is left.",
        breaks=joins,
    )
    def last_lost(symbols, pair):
        merged, place = [], 0
        while place < len(symbols) - 1:
            if (symbols[place], symbols[place + 1]) == pair:
                merged.append("".join(pair))
                place += 2
            else:
                merged.append(symbols[place])
                place += 1
        return tuple(merged)

    @mistake(
        "After a join you move on by one token instead of two: the right half of the pair stays in the word "
        "beside what you made of it.",
        breaks=joins,
    )
    def right_half_kept(symbols, pair):
        merged = []
        for place, symbol in enumerate(symbols):
            whole = tuple(symbols[place : place + 2]) == pair
            merged.append("".join(pair) if whole else symbol)
        return tuple(merged)

    @mistake(
        "You join the reverse of the pair as well: ('b', 'a') is another pair than ('a', 'b').",
        breaks=joins,
    )
    def either_order(symbols, pair):
        merged, place = [], 0
        while place < len(symbols):
            if tuple(symbols[place : place + 2]) in (pair, pair[::-1]):
                merged.append("".join(symbols[place : place + 2]))
                place += 2
            else:
                merged.append(symbols[place])
                place += 1
        return tuple(merged)

    @mistake(
        "You join from right to left: of three equal tokens the first two belong together, not the last two.",
        breaks=overlaps,
    )
    def from_the_right(symbols, pair):
        merged, place = [], len(symbols)
        while place > 0:
            if place > 1 and (symbols[place - 2], symbols[place - 1]) == pair:
                merged.append("".join(pair))
                place -= 2
            else:
                merged.append(symbols[place - 1])
                place -= 1
        return tuple(merged[::-1])

    @mistake(
        "A token is used twice where occurrences overlap: of three equal tokens only two can be joined, "
        "and the third is left. After a join, go on behind both.",
        breaks=overlaps,
    )
    def used_twice(symbols, pair):
        merged, place = [], 0
        while place < len(symbols):
            if tuple(symbols[place : place + 2]) == pair:
                merged.append("".join(pair))
                place += 1 if tuple(symbols[place + 1 : place + 3]) == pair else 2
            else:
                merged.append(symbols[place])
                place += 1
        return tuple(merged)

    @mistake(
        "You skip a token behind a left half that does not match: in 'a', 'a', 'b' the second 'a' begins the "
        "pair. Go on by one token unless you have joined two.",
        breaks=joins,
    )
    def skips_ahead(symbols, pair):
        merged, place = [], 0
        while place < len(symbols):
            if symbols[place] == pair[0] and place + 1 < len(symbols):
                both = tuple(symbols[place : place + 2])
                merged += ["".join(both)] if both == pair else both
                place += 2
            else:
                merged.append(symbols[place])
                place += 1
        return tuple(merged)

    @mistake(
        "You join the tokens in the caller's own list: whoever called you still needs it. Build a new list.",
        breaks=neighbourly,
    )
    def in_place(symbols, pair):
        tokens = symbols if isinstance(symbols, list) else list(symbols)
        for place in range(len(tokens)):
            if tuple(tokens[place : place + 2]) == pair:
                tokens[place : place + 2] = ["".join(pair)]
        return tuple(tokens)

    @mistake(
        "You return one text: what is wanted are the tokens, as a tuple.",
        breaks=joins,
    )
    def one_text(symbols, pair):
        return "".join(symbols)

    @mistake(
        "The pair stands in the word as a tuple: join its two tokens to one string, `left + right`.",
        breaks=joins,
    )
    def not_joined(symbols, pair):
        merged, place = [], 0
        while place < len(symbols):
            if tuple(symbols[place : place + 2]) == pair:
                merged.append(pair)
                place += 2
            else:
                merged.append(symbols[place])
                place += 1
        return tuple(merged)

    @mistake(
        "You look for the pair with a regular expression, in which '.' stands for any character: escape the "
        "tokens with `re.escape`, or compare them without one.",
        breaks=nothing_else,
    )
    def pattern_not_escaped(symbols, pair):
        try:
            found = re.sub(rf"(?<!\S){pair[0]} {pair[1]}(?!\S)", "".join(pair), " ".join(symbols))
        except re.error:
            found = " ".join(symbols)
        return tuple(found.split())

    @mistake(
        "You ask for the neighbour of the last token, and there is none: first see whether one more token "
        "follows.",
        breaks=joins,
    )
    def past_the_end(symbols, pair):
        merged, place = [], 0
        while place < len(symbols):
            if symbols[place] == pair[0] and symbols[place + 1] == pair[1]:
                merged.append("".join(pair))
                place += 2
            else:
                merged.append(symbols[place])
                place += 1
        return tuple(merged)

    @mistake(
        "After a join you copy the next token without looking at it: it may begin the next pair. Only what "
        "is not joined is copied (`else`).",
        breaks=joins,
    )
    def copies_after_a_join(symbols, pair):
        merged, place = [], 0
        while place < len(symbols):
            if tuple(symbols[place : place + 2]) == pair:
                merged.append("".join(pair))
                place += 2
            if place < len(symbols):
                merged.append(symbols[place])
            place += 1
        return tuple(merged)

    @mistake(
        "You look at the left token alone, and join it with whatever comes behind it: both must be those of "
        "the pair.",
        breaks=joins,
    )
    def left_alone(symbols, pair):
        merged, place = [], 0
        while place < len(symbols):
            if symbols[place] == pair[0] and place + 1 < len(symbols):
                merged.append(symbols[place] + symbols[place + 1])
                place += 2
            else:
                merged.append(symbols[place])
                place += 1
        return tuple(merged)

    @mistake(
        "You cut the word into pieces of two tokens: a pair may begin at any token. Move on by two after a "
        "join alone.",
        breaks=joins,
    )
    def two_by_two(symbols, pair):
        merged = []
        for place in range(0, len(symbols), 2):
            both = tuple(symbols[place : place + 2])
            merged += ["".join(both)] if both == pair else both
        return tuple(merged)

    @mistake(
        "You search for the left token and stop at the first one that has another neighbour: go on behind "
        "it, the pair may come later.",
        breaks=joins,
    )
    def gives_up(symbols, pair):
        tokens = list(symbols)
        while pair[0] in tokens:
            place = tokens.index(pair[0])
            if tuple(tokens[place : place + 2]) != pair:
                break
            tokens[place : place + 2] = ["".join(pair)]
        return tuple(tokens)

    @mistake(
        "You return the tokens as one text with spaces between them: leave them apart, as a tuple.",
        breaks=joins,
    )
    def spaced_text(symbols, pair):
        merged = []
        for symbol in symbols:
            if merged and (merged[-1], symbol) == pair:
                merged[-1] += symbol
            else:
                merged.append(symbol)
        return " ".join(merged)


class TrainBPE(Exercise):
    name = "train_bpe"
    solutions = solutions.tokens
    builds_on = ("count_pairs", "merge_pair")

    # Ties are asked for in `ties` alone: everywhere else the most frequent pair is the only one.

    @behaviour("learns the most frequent pair of the text, and ranks pairs from 0 in their order", points=2)
    def frequent(ask, draw):
        ask.same("ab ab ab", 1)
        ask.same("ab\nab\nabc\nabc", 2)
        ask.same("xy xy xy xy ab ac ad", 1)
        ask.same("lolo lolo olo", 2)
        letters = "abcdxyz"[draw.integer(0, 6)] + "mn"
        ask.same(" ".join([letters] * draw.integer(4, 6) + [letters[:2]] * 2 + ["n" + letters[2:]]), 2)
        call = ask.call("xy\nxy\nxyz\nxyz\nxyz\nab\nab", 3)
        found, expected = ask.outcomes(call)
        if isinstance(found.value, dict):
            ask.compare(call, list(found.value), list(expected.value))
        else:
            ask.compare(call, found.value, expected.value)

    @behaviour("counts anew after each merge", points=2)
    def counted_anew(ask, draw):
        ask.same("abc\nabc\nabc\nab\nde\nde", 3)
        ask.same("aaaa\naaaa", 2)
        ask.same("he\nhe\nthe\nthe\nthe\nthen\nthen", 3)
        ask.same("xabab\nxabab\nabab\nab", 3)
        ask.same("ababab\n" * 4 + "cd\n" * 6, 2)

    @behaviour("lets the older tokens win a tie", points=2)
    def ties(ask, draw):
        ask.same("cd\nab\nfg\nce\n" * 2, 1)
        ask.same("ba\nac\n" * 2, 1)
        ask.same("cd ab\n" * 2, 1)
        ask.same("ac ab\n" * 2, 3)
        ask.same("abx\nabx\nab\ncd\ncd", 2)
        ask.same("cdx\ncdx\ncd\ncd\naby\naby\nab", 4)
        ask.same("Zb zb Za\n" * 2, 3)
        ask.same("ba\nZc\n" * 2, 1)
        ask.same("abc\nabc\nbc\nde\nde", 2)
        for n_merges in (4, 10):
            ask.same(_corpus(draw, n_merges), n_merges)

    @behaviour("merges inside words only, and in bytes", points=1)
    def words(ask, draw):
        ask.same("a b a b a b", 2)
        ask.same("我成我", 2)
        ask.same(" a\n a\n a\nbc\nbc", 1)
        ask.same("a\n\n\n\nb", 1)
        ask.same("ab, ab, ab, ab", 2)
        ask.same("🙂🙂🙂😀", 1)
        ask.same("aaa  aaa\n\naaa", 2)

    @behaviour("stops where nothing is left to merge", points=1)
    def end(ask, draw):
        ask.same("ab", 9)
        ask.same("ab ab", 0)
        ask.same("a a a", 5)
        ask.same("", 3)
        ask.same("x" * 2 ** draw.integer(2, 4), 9)

    @mistake(
        "You count once and take the most frequent pairs of that count: each merge changes the neighbours of "
        "what it joins, so count again before the next.",
        breaks=counted_anew,
    )
    def counted_once(corpus, n_merges):
        pairs = Counter()
        for word in split_words(corpus):
            pairs.update(pairwise(word))
        best = sorted(pairs, key=lambda pair: (-pairs[pair], pair))
        return {pair: rank for rank, pair in enumerate(best[:n_merges])}

    @mistake(
        "You count each different word once: a pair must count as often as its words occur in the text.",
        breaks=frequent,
    )
    def words_once(corpus, n_merges):
        words = [list(word) for word in dict.fromkeys(split_words(corpus))]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[best] = len(merges)
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "Of pairs with the same count you take the one you met first: `max` and `most_common` do. The tie "
        "goes to the older left token, then to the older right one; symbols are as old as their place in "
        "the alphabet says.",
        breaks=ties,
    )
    def first_met(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = max(pairs, key=pairs.get)
            merges[best] = len(merges)
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "You settle ties by the alphabet throughout, or take merged tokens for older: single symbols come "
        "in the order of the alphabet, and a merged token is younger than every symbol and than the "
        "tokens merged before it.",
        breaks=ties,
    )
    def by_the_alphabet(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], pair))
            merges[best] = len(merges)
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "You settle ties the wrong way round: `max` over (count, pair) takes the last in the alphabet. "
        "The tie goes to the older tokens, and among symbols the first in the alphabet is the oldest.",
        breaks=ties,
    )
    def last_of_the_alphabet(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = max(pairs, key=lambda pair: (pairs[pair], pair))
            merges[best] = len(merges)
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "You compare the right tokens first: on a tie the left token decides, and the right one only if the "
        "left ones are the same.",
        breaks=ties,
    )
    def right_token_first(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, reversed(pair))))
            merges[best] = len(merges)
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "The order of your symbols is that of their bytes, in which a space comes before every letter: "
        "it is written Ġ, and what counts are the code points of the symbols themselves, `sorted(symbols)`.",
        breaks=ties,
    )
    def age_by_byte(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = list(byte_symbols())
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[best] = len(merges)
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "You merge across the ends of words: cut the text with `split_words` first, and count neighbours "
        "inside of each word.",
        breaks=words,
    )
    def across_words(corpus, n_merges):
        symbols = [symbol for word in split_words(corpus) for symbol in word]
        age = sorted(set(symbols))
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[best] = len(merges)
            age.append("".join(best))
            for place in range(len(symbols)):
                if tuple(symbols[place : place + 2]) == best:
                    symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "Your words are made of characters: they must be made of the symbols that stand for bytes, which is "
        "what `split_words` returns.",
        breaks=words,
    )
    def characters(corpus, n_merges):
        words = [list(word) for word in WORD.findall(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[best] = len(merges)
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "The spaces are lost: a space belongs to the word after it, as Ġ. `split()` and `strip()` throw "
        "it away, and `split_words` keeps it.",
        breaks=words,
    )
    def without_spaces(corpus, n_merges):
        symbol_of = byte_symbols()
        words = [[symbol_of[byte] for byte in word.encode()] for word in corpus.split()]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[best] = len(merges)
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "You stop at pairs that occur once: go on until there are `n_merges`, or no pair is left.",
        breaks=end,
    )
    def twice_at_least(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if max(pairs.values(), default=0) < 2:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[best] = len(merges)
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "You look for the best of no pairs: where nothing is left to merge, `max` and `min` raise an error. "
        "Stop before, and return what has been learned.",
        breaks=end,
    )
    def without_end(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[best] = len(merges)
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "Your ranks begin at 1: the first pair learned has rank 0.",
        breaks=frequent,
    )
    def ranks_from_one(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[best] = len(merges) + 1
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "Your values are the counts of the pairs: `encode` needs their ranks, 0 for the first pair learned, "
        "1 for the second.",
        breaks=frequent,
    )
    def counts_for_ranks(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[best] = pairs[best]
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "You return a list: what is wanted is a dictionary from each pair to its rank, so that `encode` can "
        "look a pair up.",
        breaks=frequent,
    )
    def list_of_pairs(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = []
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges.append(best)
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "You add the new neighbours of what was joined and forget to take the old ones away: after 'a' and "
        "'b' have become 'ab', the pair of 'b' and what followed it is gone there.",
        breaks=counted_anew,
    )
    def old_neighbours_kept(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
        merges = {}
        while pairs and len(merges) < n_merges:
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[best] = len(merges)
            age.append("".join(best))
            del pairs[best]
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
                        pairs.update(pairwise(symbols[max(place - 1, 0) : place + 2]))
        return merges

    @mistake(
        "On a tie you compare the left tokens alone: where they are the same, the pair with the older right "
        "token wins.",
        breaks=ties,
    )
    def left_token_alone(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], age.index(pair[0])))
            merges[best] = len(merges)
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "You learn one pair too many: `n_merges` pairs have the ranks 0 to `n_merges` - 1.",
        breaks=frequent,
    )
    def one_too_many(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) <= n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[best] = len(merges)
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "Your values go on from the 256 symbols, as the ids of tokens do: ranks count merges alone, and the "
        "first is 0.",
        breaks=frequent,
    )
    def ids_for_ranks(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[best] = 256 + len(merges)
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "Your dictionary goes from rank to pair: `encode` looks up pairs, so the pair is the key and its "
        "rank the value.",
        breaks=frequent,
    )
    def ranks_to_pairs(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[len(merges)] = best
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "A pair that stands twice in one word is counted once: do not make a set of a word's pairs.",
        breaks=counted_anew,
    )
    def once_in_a_word(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in {*pairwise(symbols)})
            if not pairs:
                break
            best = min(pairs, key=lambda pair: (-pairs[pair], *map(age.index, pair)))
            merges[best] = len(merges)
            age.append("".join(best))
            for symbols in words:
                for place in range(len(symbols)):
                    if tuple(symbols[place : place + 2]) == best:
                        symbols[place : place + 2] = ["".join(best)]
        return merges

    @mistake(
        "You merge all pairs of the highest count in one round: the first of these merges may change the "
        "counts of the others. Learn one pair, and count again.",
        breaks=ties,
    )
    def ties_together(corpus, n_merges):
        words = [list(word) for word in split_words(corpus)]
        age = sorted({symbol for symbols in words for symbol in symbols})
        merges = {}
        while len(merges) < n_merges:
            pairs = Counter(pair for symbols in words for pair in pairwise(symbols))
            if not pairs:
                break
            tied = [pair for pair in pairs if pairs[pair] == max(pairs.values())]
            tied.sort(key=lambda pair: [*map(age.index, pair)])
            for best in tied[: n_merges - len(merges)]:
                merges[best] = len(merges)
                age.append("".join(best))
                for symbols in words:
                    for place in range(len(symbols)):
                        if tuple(symbols[place : place + 2]) == best:
                            symbols[place : place + 2] = ["".join(best)]
        return merges


class Encode(Exercise):
    name = "encode"
    solutions = solutions.tokens
    builds_on = ("merge_pair",)

    @behaviour("merges what was learned first, wherever it stands", points=2)
    def by_rank(ask, draw):
        ask.same("abcdef", {("a", "b"): 0, ("e", "f"): 1, ("b", "c"): 2, ("d", "e"): 3, ("d", "ef"): 4})
        ask.same("abc", {("b", "c"): 0, ("a", "b"): 1})
        ask.same("abc", {("b", "c"): 0, ("a", "b"): 1, ("ab", "c"): 2})
        ask.same("abcabc", {("b", "c"): 0, ("c", "a"): 1, ("a", "b"): 2, ("a", "bc"): 3})
        ask.same("there", MERGES)
        ask.same("others", MERGES)
        text = _corpus(draw, 10)
        ask.same("".join(text.split()), train_bpe(text, 10))

    @behaviour("goes on until nothing is left to merge", points=1)
    def to_the_end(ask, draw):
        ask.same("abc", {("a", "b"): 0, ("ab", "c"): 1})
        ask.same("ababab", {("a", "b"): 0, ("ab", "ab"): 1})
        ask.same("a" * (2 * draw.integer(2, 4) + 1), {("a", "a"): 0, ("aa", "aa"): 1})

    @behaviour("cuts the text into words first, and writes them in the symbols of their bytes", points=2)
    def words(ask, draw):
        ask.same("é", {("Ã", "©"): 0})
        ask.same("a b", {("a", "b"): 0})
        ask.same(" is  she\n", MERGES)
        ask.same("a  b", {("Ġ", "Ġ"): 0})
        ask.same("他是老师。", MERGES)
        ask.same("é 🙂", {("ð", "Ł"): 0})
        ask.same("½ Ａe\u0301\ufeff\ufffd", {})
        ask.same("Is he? 是 ", MERGES)
        ask.same("she is he, is she?", MERGES)

    @behaviour("leaves alone what no merge knows, and the merges as they were", points=1)
    def unknown(ask, draw):
        ask.same("ab", {})
        ask.same("", {("a", "b"): 0})
        ask.same("b", {("a", "b"): 0})
        ask.same("ba", {("a", "b"): 0})
        ask.keeps_arguments("abab", {("a", "b"): 0, ("ab", "ab"): 1, ("x", "y"): 2})

    @mistake(
        "You merge by place or by alphabet, the first pair from the left for example: of all the pairs in "
        "the word, the one with the lowest rank comes first.",
        breaks=by_rank,
    )
    def from_the_left(text, merges):
        written = []
        for word in split_words(text):
            tokens, place = list(word), 0
            while place < len(tokens) - 1:
                if tuple(tokens[place : place + 2]) in merges:
                    tokens[place : place + 2] = ["".join(tokens[place : place + 2])]
                    place = 0
                else:
                    place += 1
            written += tokens
        return written

    @mistake(
        "You take the longest token that fits, from the left: BPE does not look for long tokens, it repeats "
        "its merges in the order in which they were learned.",
        breaks=by_rank,
    )
    def longest_first(text, merges):
        vocabulary = {"".join(pair) for pair in merges}
        written = []
        for word in split_words(text):
            while word:
                fits = [end for end in range(len(word), 1, -1) if word[:end] in vocabulary]
                end = fits[0] if fits else 1
                written.append(word[:end])
                word = word[end:]
        return written

    @mistake(
        "You merge what was learned last: the highest rank first. The lowest rank comes first.",
        breaks=by_rank,
    )
    def last_first(text, merges):
        written = []
        for word in split_words(text):
            tokens = list(word)
            while known := [pair for pair in pairwise(tokens) if pair in merges]:
                best = max(known, key=merges.get)
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
            written += tokens
        return written

    @mistake(
        "You merge once and stop: what a merge has made may be merged again.",
        breaks=to_the_end,
    )
    def one_round(text, merges):
        written = []
        for word in split_words(text):
            tokens = list(word)
            known = [pair for pair in dict.fromkeys(pairwise(tokens)) if pair in merges]
            for best in sorted(known, key=merges.get):
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
            written += tokens
        return written

    @mistake(
        "You go through the merges once, and each joins only its first occurrence in the word.",
        breaks=to_the_end,
    )
    def first_occurrence(text, merges):
        written = []
        for word in split_words(text):
            tokens = list(word)
            for best in sorted(merges, key=merges.get):
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
                        break
            written += tokens
        return written

    @mistake(
        "You merge across the ends of words: cut the text with `split_words`, and encode word by word.",
        breaks=words,
    )
    def across_words(text, merges):
        tokens = [symbol for word in split_words(text) for symbol in word]
        while known := [pair for pair in pairwise(tokens) if pair in merges]:
            best = min(known, key=merges.get)
            for place in range(len(tokens)):
                if tuple(tokens[place : place + 2]) == best:
                    tokens[place : place + 2] = ["".join(best)]
        return tokens

    @mistake(
        "You merge characters: merges are pairs of the symbols that stand for bytes, which is what "
        "`split_words` returns. A space is Ġ.",
        breaks=words,
    )
    def characters(text, merges):
        written = []
        for word in WORD.findall(text):
            tokens = list(word)
            while known := [pair for pair in pairwise(tokens) if pair in merges]:
                best = min(known, key=merges.get)
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
            written += tokens
        return written

    @mistake(
        "The spaces are lost, so the text cannot be read back: `split()` throws them away, `split_words` "
        "keeps them as the beginnings of words.",
        breaks=words,
    )
    def without_spaces(text, merges):
        symbol_of = byte_symbols()
        written = []
        for word in text.split():
            tokens = [symbol_of[byte] for byte in word.encode()]
            while known := [pair for pair in pairwise(tokens) if pair in merges]:
                best = min(known, key=merges.get)
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
            written += tokens
        return written

    @mistake(
        "You strip the text first: a space or a newline at its ends is part of the text, and must come back.",
        breaks=words,
    )
    def stripped(text, merges):
        written = []
        for word in split_words(text.strip()):
            tokens = list(word)
            while known := [pair for pair in pairwise(tokens) if pair in merges]:
                best = min(known, key=merges.get)
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
            written += tokens
        return written

    @mistake(
        "You look up every pair with `merges[pair]`: most pairs of a text were never learned, and an unknown "
        "key raises KeyError. Use `in` or `merges.get`.",
        breaks=by_rank,
    )
    def key_error(text, merges):
        written = []
        for word in split_words(text):
            tokens = list(word)
            while len(tokens) > 1:
                best = min(pairwise(tokens), key=lambda pair: merges[pair])
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
            written += tokens
        return written

    @mistake(
        "You join every pair, whether it was learned or not, until each word is one token: stop when no pair "
        "of the word is among the merges.",
        breaks=by_rank,
    )
    def whole_words(text, merges):
        return split_words(text)

    @mistake(
        "You return a list for each word: what is wanted is one list of tokens for the whole text.",
        breaks=by_rank,
    )
    def nested(text, merges):
        written = []
        for word in split_words(text):
            tokens = list(word)
            while known := [pair for pair in pairwise(tokens) if pair in merges]:
                best = min(known, key=merges.get)
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
            written.append(tokens)
        return written

    @mistake(
        "You take the merges out of the dictionary as you use them: the next text needs them too.",
        breaks=unknown,
    )
    def merges_used_up(text, merges):
        words = [list(word) for word in split_words(text)]
        while merges:
            best = min(merges, key=merges.get)
            merges.pop(best)
            for tokens in words:
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
        return [token for tokens in words for token in tokens]

    @mistake(
        "You merge one pair of each word and go on to the next word: repeat until no pair of the word is "
        "among the merges.",
        breaks=to_the_end,
    )
    def one_merge_a_word(text, merges):
        written = []
        for word in split_words(text):
            tokens = list(word)
            if known := [pair for pair in pairwise(tokens) if pair in merges]:
                best = min(known, key=merges.get)
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
            written += tokens
        return written

    @mistake(
        "The pair of rank 0 is never merged: `if merges.get(pair)` takes 0 for no. Write `pair in merges`.",
        breaks=by_rank,
    )
    def rank_zero_missed(text, merges):
        written = []
        for word in split_words(text):
            tokens = list(word)
            while known := [pair for pair in pairwise(tokens) if merges.get(pair)]:
                best = min(known, key=merges.get)
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
            written += tokens
        return written

    @mistake(
        "You put a space in front of the text: some tokenizers do, but here it would be read back where none "
        "was.",
        breaks=words,
    )
    def space_in_front(text, merges):
        written = []
        for word in split_words(" " + text):
            tokens = list(word)
            while known := [pair for pair in pairwise(tokens) if pair in merges]:
                best = min(known, key=merges.get)
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
            written += tokens
        return written

    @mistake(
        "You turn Ġ back into a space: tokens stay in symbols, one for each byte, and `decode` makes text of "
        "them.",
        breaks=words,
    )
    def symbols_read(text, merges):
        written = []
        for word in split_words(text):
            tokens = list(word)
            while known := [pair for pair in pairwise(tokens) if pair in merges]:
                best = min(known, key=merges.get)
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
            written += [token.replace("Ġ", " ").replace("Ċ", "\n") for token in tokens]
        return written

    @mistake(
        "You join any two tokens that spell a known one: with ('ab', 'c') among the merges, 'a' and 'bc' are "
        "still another pair. Look up the pair, not the joined text.",
        breaks=by_rank,
    )
    def by_spelling(text, merges):
        rank = {"".join(pair): number for pair, number in merges.items()}
        written = []
        for word in split_words(text):
            tokens = list(word)
            while known := [pair for pair in pairwise(tokens) if "".join(pair) in rank]:
                best = min(known, key=lambda pair: rank["".join(pair)])
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
            written += tokens
        return written

    @mistake(
        "You look for the best pair in a word that has none: `min` of nothing raises a ValueError. A word of "
        "one token is done.",
        breaks=unknown,
    )
    def no_pair_left(text, merges):
        written = []
        for word in split_words(text):
            tokens = list(word)
            while (best := min(pairwise(tokens), key=lambda pair: merges.get(pair, len(merges)))) in merges:
                for place in range(len(tokens)):
                    if tuple(tokens[place : place + 2]) == best:
                        tokens[place : place + 2] = ["".join(best)]
            written += tokens
        return written


class Decode(Exercise):
    name = "decode"
    solutions = solutions.tokens

    @behaviour("reads every symbol as the byte it stands for", points=2)
    def reads(ask, draw):
        ask.same(["I", "Ġam"])
        ask.same(["ĠĠhi", "Ċ", "Ġ"])
        ask.same(["Ġ", "Ã©", "."])
        ask.same(["èĢģ", "å¸Ī", "ãĢĤ"])
        ask.same([])
        ask.same(split_words(ENGLISH + "“" + CHINESE + "”\t\r\n 🙂 "))
        ask.same(split_words("".join(map(chr, range(256)))))
        ask.same(split_words("\ufeff½ Ａe\u0301\ufffd"))

    @behaviour(
        "puts all bytes together before it makes characters of them, and leaves the tokens alone", points=1
    )
    def together(ask, draw):
        ask.same(["æ", "ĪĳI"])
        ask.same(["a", "ð", "Ł", "Ļ", "Ĥ", "b"])
        ask.same(solutions.tokens.encode("我们🙂是é", {}))
        ask.same(solutions.tokens.encode(ENGLISH + "“" + CHINESE, MERGES))
        ask.keeps_arguments(["I", "Ġam"])

    @behaviour("puts U+FFFD where bytes are no character", points=1)
    def replaces(ask, draw):
        ask.same(["a", "æĪ", "b"])
        ask.same(["æ"])
        ask.same(["Ī", "ĠI"])
        ask.same(["I", "Ġ", "ÿ", "I"])
        ask.same(["ÿ", "ÿÿ"])

    @mistake(
        "You read each token by itself: a character whose bytes lie in two tokens is broken. Join the "
        "tokens, then read the bytes.",
        breaks=together,
    )
    def one_by_one(tokens):
        byte_of = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
        parts = [bytes(byte_of[symbol] for symbol in token) for token in tokens]
        return "".join(part.decode("utf-8", errors="replace") for part in parts)

    @mistake(
        "Bytes that are no character disappear: with `errors='ignore'` nobody sees that something is "
        "missing. Use `errors='replace'`.",
        breaks=replaces,
    )
    def ignored(tokens):
        byte_of = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
        return bytes(byte_of[symbol] for symbol in "".join(tokens)).decode("utf-8", errors="ignore")

    @mistake(
        "Bytes that are no character raise an error, and a model may well write some: "
        "decode with `errors='replace'`.",
        breaks=replaces,
    )
    def strict(tokens):
        byte_of = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
        return bytes(byte_of[symbol] for symbol in "".join(tokens)).decode("utf-8")

    @mistake(
        "You turn Ġ into a space and leave all other symbols as they are: every symbol stands for a byte, "
        "and Chinese is made of them. Look each up in `byte_symbols()`.",
        breaks=reads,
    )
    def spaces_only(tokens):
        return "".join(tokens).replace("Ġ", " ")

    @mistake(
        "You turn Ġ into a space and Ċ into a newline and leave all other symbols as they are: every symbol "
        "stands for a byte. Look each up in `byte_symbols()`.",
        breaks=reads,
    )
    def spaces_and_newlines(tokens):
        return "".join(tokens).replace("Ġ", " ").replace("Ċ", "\n")

    @mistake(
        "You join the tokens and do not turn their symbols into bytes: a space still reads Ġ.",
        breaks=reads,
    )
    def joined(tokens):
        return "".join(tokens)

    @mistake(
        "You put a space between tokens: the spaces of the text are in the tokens already, as Ġ.",
        breaks=reads,
    )
    def with_spaces(tokens):
        byte_of = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
        parts = [bytes(byte_of[symbol] for symbol in token) for token in tokens]
        return b" ".join(parts).decode("utf-8", errors="replace")

    @mistake(
        "You strip the text: a space at its beginning or end was in the text, and must come back.",
        breaks=reads,
    )
    def stripped(tokens):
        byte_of = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
        return bytes(byte_of[symbol] for symbol in "".join(tokens)).decode("utf-8", errors="replace").strip()

    @mistake(
        "You read each byte as a character of its own: that is Latin-1. In UTF-8 a Chinese character takes "
        "three bytes, so read the bytes together with `.decode('utf-8')`.",
        breaks=reads,
    )
    def byte_by_byte(tokens):
        byte_of = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
        return "".join(chr(byte_of[symbol]) for symbol in "".join(tokens))

    @mistake(
        "You return bytes: make them a text with `.decode('utf-8', errors='replace')`.",
        breaks=reads,
    )
    def raw_bytes(tokens):
        byte_of = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
        return bytes(byte_of[symbol] for symbol in "".join(tokens))

    @mistake(
        "What is incomplete at the end disappears: your decoder waits for the rest of the character. Tell it "
        "that nothing follows, `final=True`, or decode all bytes at once.",
        breaks=replaces,
    )
    def kept_back(tokens):
        byte_of = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
        reader = codecs.getincrementaldecoder("utf-8")(errors="replace")
        return reader.decode(bytes(byte_of[symbol] for symbol in "".join(tokens)))

    @mistake(
        "You put one U+FFFD for every bad byte: `errors='replace'` puts one for the beginning of a character "
        "that breaks off, however many bytes it has.",
        breaks=replaces,
    )
    def one_for_each_byte(tokens):
        byte_of = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
        text = bytes(byte_of[symbol] for symbol in "".join(tokens)).decode(errors="surrogateescape")
        return "".join("\ufffd" if "\udc80" <= letter <= "\udcff" else letter for letter in text)

    @mistake(
        "You put one U+FFFD for a whole run of them: each byte that begins no character has its own.",
        breaks=replaces,
    )
    def one_for_a_run(tokens):
        byte_of = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
        text = bytes(byte_of[symbol] for symbol in "".join(tokens)).decode(errors="replace")
        return re.sub("\ufffd+", "\ufffd", text)

    @mistake(
        "One bad byte spoils the whole text: replace what is no character, and keep what is.",
        breaks=replaces,
    )
    def all_or_nothing(tokens):
        byte_of = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
        try:
            return bytes(byte_of[symbol] for symbol in "".join(tokens)).decode()
        except UnicodeDecodeError:
            return "\ufffd"

    @mistake(
        "You decode each byte by itself, or as ASCII, which comes to the same: a character of several "
        "bytes becomes as many U+FFFD. Collect all bytes first, and decode them as UTF-8.",
        breaks=reads,
    )
    def each_byte_decoded(tokens):
        byte_of = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
        parts = [bytes([byte_of[symbol]]) for symbol in "".join(tokens)]
        return "".join(part.decode(errors="replace") for part in parts)

    @mistake(
        "You number the symbols in the order of the alphabet: the symbol of byte b is `byte_symbols()[b]`, "
        "so do not sort them.",
        breaks=reads,
    )
    def symbols_sorted(tokens):
        byte_of = {symbol: byte for byte, symbol in enumerate(sorted(byte_symbols()))}
        return bytes(byte_of[symbol] for symbol in "".join(tokens)).decode(errors="replace")


class PadBatch(Exercise):
    name = "pad_batch"
    solutions = solutions.tokens

    @behaviour("gives int64 ids of shape (batch, length), the length of the longest", points=1)
    def convention(ask, draw):
        ask.same_kind([[5, 6, 4], [7]], 0)
        ask.same_kind([[5], [6, 7, 8], [9, 4]], 3)
        ask.same_kind([[5]], 0)
        ask.same_kind([[4] * draw.integer(1, 9), [5] * draw.integer(1, 9)], 1)

    @behaviour("keeps every id in its place and fills up at the right with `pad_id`", points=2)
    def values(ask, draw):
        ask.same([[5, 6], [7]], 0, types=False)
        ask.same([[5], [6, 7, 8], [9, 4]], 3, types=False)
        ask.same([[0, 3, 0], [3], [0, 0]], 3, types=False)
        ask.same([[2**24 + 1, 7], [50256]], 50257, types=False)
        ask.same([[1, 2], [3, 4]], 9, types=False)
        ask.same([[7], [8] * 600], 9, types=False)
        pad_id = draw.integer(1, 99)
        rows = [[draw.integer(0, 99) for _ in range(draw.integer(1, 6))] for _ in range(4)]
        ask.same(rows, pad_id, types=False)

    @behaviour("takes sequences that are empty", points=1)
    def empty(ask, draw):
        ask.same([[], [5, 6]], 0)
        ask.same([[5], [], []], 3)

    @behaviour("is right without changing the sequences it is given", points=1)
    def neighbourly(ask, draw):
        ask.keeps_arguments([[5, 6], [7]], 1)
        ask.keeps_arguments([[7], [5, 6, 7, 8], [9, 9]], 2)

    @mistake(
        "You fill up with 0 whatever `pad_id` is: in another vocabulary token 0 is a word like any other.",
        breaks=values,
    )
    def zero_is_padding(sequences, pad_id):
        length = max(map(len, sequences), default=0)
        return torch.tensor([[*s, *[0] * (length - len(s))] for s in sequences], dtype=torch.long)

    @mistake(
        "You fill up at the left: in this chapter padding stands at the right, after the tokens.",
        breaks=values,
    )
    def at_the_left(sequences, pad_id):
        length = max(map(len, sequences), default=0)
        return torch.tensor([[*[pad_id] * (length - len(s)), *s] for s in sequences], dtype=torch.long)

    @mistake(
        "You cut all sequences to the length of the shortest (as `zip` does): tokens are lost.",
        breaks=values,
    )
    def shortest(sequences, pad_id):
        return torch.tensor(list(zip(*sequences, strict=False)), dtype=torch.long).mT

    @mistake(
        "Your axes are exchanged: each sequence is a row. `pad_sequence` puts the length first unless you "
        "pass `batch_first=True`.",
        breaks=values,
    )
    def transposed(sequences, pad_id):
        length = max(map(len, sequences), default=0)
        rows = torch.tensor([[*s, *[pad_id] * (length - len(s))] for s in sequences], dtype=torch.long)
        return rows.T

    @mistake(
        "Your ids are floating numbers: an embedding looks up whole ones, and float32 cannot even tell "
        "16777216 from 16777217. Ask for `dtype=torch.long`.",
        breaks=convention,
    )
    def floats(sequences, pad_id):
        length = max(map(len, sequences), default=0)
        return torch.tensor([[*s, *[pad_id] * (length - len(s))] for s in sequences], dtype=torch.float32)

    @mistake(
        "Your ids are int32: token ids are int64 in this course (`torch.long`), as PyTorch makes them of "
        "lists.",
        breaks=convention,
    )
    def int32(sequences, pad_id):
        length = max(map(len, sequences), default=0)
        return torch.tensor([[*s, *[pad_id] * (length - len(s))] for s in sequences], dtype=torch.int32)

    @mistake(
        "You return lists: a batch is one tensor.",
        breaks=convention,
    )
    def lists(sequences, pad_id):
        length = max(map(len, sequences), default=0)
        return [[*s, *[pad_id] * (length - len(s))] for s in sequences]

    @mistake(
        "You take the length from the first sequence: the longest may come later.",
        breaks=convention,
    )
    def length_of_the_first(sequences, pad_id):
        length = len(sequences[0])
        return torch.tensor([[*s, *[pad_id] * length][:length] for s in sequences], dtype=torch.long)

    @mistake(
        "Your batch is one column too long: the longest sequence needs no padding.",
        breaks=convention,
    )
    def one_too_long(sequences, pad_id):
        length = max(map(len, sequences), default=0) + 1
        return torch.tensor([[*s, *[pad_id] * (length - len(s))] for s in sequences], dtype=torch.long)

    @mistake(
        "You sort the sequences by their length: the caller can no longer tell which row is whose. "
        "Leave them in the order in which they come.",
        breaks=values,
    )
    def longest_first(sequences, pad_id):
        length = max(map(len, sequences), default=0)
        rows = sorted(sequences, key=len, reverse=True)
        return torch.tensor([[*s, *[pad_id] * (length - len(s))] for s in rows], dtype=torch.long)

    @mistake(
        "An empty sequence is left out, and the batch has a row too few: it must become a row of padding.",
        breaks=empty,
    )
    def empty_left_out(sequences, pad_id):
        length = max(map(len, sequences), default=0)
        return torch.tensor([[*s, *[pad_id] * (length - len(s))] for s in sequences if s], dtype=torch.long)

    @mistake(
        "With an empty sequence your batch becomes floating numbers: `torch.tensor([])` is float32 unless "
        "you pass `dtype=torch.long`.",
        breaks=empty,
    )
    def empty_is_float(sequences, pad_id):
        rows = [torch.tensor(sequence) for sequence in sequences]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad_id)

    @mistake(
        "You write the padding into the caller's own lists: afterwards they hold tokens that were never in "
        "the text. Make new lists, or copy into a tensor.",
        breaks=neighbourly,
    )
    def in_place(sequences, pad_id):
        length = max(map(len, sequences), default=0)
        for sequence in sequences:
            while len(sequence) < length:
                sequence.append(pad_id)
        return torch.tensor(sequences, dtype=torch.long)

    @mistake(
        "You fill up with -100, which losses ignore in labels: these are token ids, and -100 stands for "
        "none. Use `pad_id`.",
        breaks=values,
    )
    def label_padding(sequences, pad_id):
        length = max(map(len, sequences), default=0)
        return torch.tensor([[*s, *[-100] * (length - len(s))] for s in sequences], dtype=torch.long)

    @mistake(
        "You return a mask as well: what is wanted is the batch alone.",
        breaks=convention,
    )
    def with_a_mask(sequences, pad_id):
        length = max(map(len, sequences), default=0)
        rows = torch.tensor([[*s, *[pad_id] * (length - len(s))] for s in sequences], dtype=torch.long)
        return rows, rows != pad_id

    @mistake(
        "You take out ids that are equal to `pad_id`: all ids of a sequence are kept as they are.",
        breaks=values,
    )
    def padding_taken_out(sequences, pad_id):
        rows = [[number for number in sequence if number != pad_id] for sequence in sequences]
        length = max(map(len, rows), default=0)
        return torch.tensor([[*s, *[pad_id] * (length - len(s))] for s in rows], dtype=torch.long)
