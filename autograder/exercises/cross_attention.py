"""What the module of chapter 05 and its two alignments must do, and how they go wrong."""

import torch
from torch import nn
from torch.nn import functional as F

import solutions.cross_attention
from autograder.exercises.namespace import Step, plain
from autograder.exercises.self_attention import dropped_by_chance
from autograder.exercises.specification import Exercise, behaviour, mistake
from solutions.cross_attention import CrossAttention
from solutions.self_attention import attention, merge_heads, split_heads


def _texts(draw, batch, target, source, d_model, dtype=torch.float32):
    """What the decoder has so far, and the memory it looks at."""
    return draw.scores(batch, target, d_model, dtype=dtype), draw.scores(batch, source, d_model, dtype=dtype)


def _steps(*questions):
    """Questions to one module in turn, which does not train."""
    return [Step(arguments=plain(question), training=False) for question in questions]


def _projected(built, memory):
    """The right keys and values of a memory, made with the weights that the module is given."""
    n_heads, weights = built.arguments[1], built.weights
    return tuple(
        split_heads(F.linear(memory, weights[f"{name}.weight"], weights[f"{name}.bias"]), n_heads)
        for name in ("key", "value")
    )


def _blind_to_dropped_weights(d_model):
    """Weights with which it does not show which weights are dropped, but which single numbers are.

    All values are ones, so a head finds the same number in all its places, whichever weights are dropped;
    the output layer takes differences between neighbouring places.
    """
    neighbour = torch.arange(d_model).view(-1, 2).flip(1).flatten()
    differences = torch.eye(d_model) - torch.eye(d_model)[neighbour]
    return {
        "value.weight": torch.zeros(d_model, d_model),
        "value.bias": torch.ones(d_model),
        "output.weight": differences,
    }


def _half_of_the_weights_dropped(ask, draw):
    """Each position looks at the only source token, or at many equally, in two heads with equal values."""
    built = ask.build(draw, 2, 2, dropout=0.5)
    nothing = {name: torch.zeros_like(weight) for name, weight in built.weights.items()}
    built.weights = nothing | {"value.weight": torch.ones(2, 2), "output.weight": torch.eye(2)}
    memory = draw.scores(1, 24, 2).abs().expand(2, 24, 2)
    dropped_by_chance(built, (memory, memory[:, :1]), (memory, memory))


class CrossAttentionModule(Exercise):
    name = "CrossAttention"
    solutions = solutions.cross_attention
    forbidden = ("multi_head_attention_forward", "native_multi_head_attention")

    @behaviour("has the layers query, key, value and output, and refuses heads that do not fit", points=1)
    def layers(ask, draw):
        ask.build(draw, 4, 2).same_parameters()
        ask.build(draw, 12, 3, dropout=0.1).same_parameters()
        ask.refuses("ValueError", 6, 4)
        ask.refuses("ValueError", 4, 8)

    @behaviour("makes the keys and values of all heads from the memory", points=2)
    def project(ask, draw):
        ask.build(draw, 4, 2).same(draw.scores(1, 2, 4), method="project_memory")
        built = ask.build(draw, 12, 3)
        memories = [draw.scores(2, 5, 12), draw.scores(3, 3, 12)]
        memories.append(draw.scores(draw.integer(4, 7), 2, 12).transpose(0, 1))
        built.same_steps(*[Step("project_memory", plain((memory,)), training=False) for memory in memories])
        ask.build(draw, 6, 6).same(draw.scores(2, 4, 6), method="project_memory")

    @behaviour("looks from every target position at the whole memory, whatever the two lengths", points=3)
    def looks(ask, draw):
        ask.build(draw, 4, 2).same(*_texts(draw, 1, 1, 2, 4))
        built = ask.build(draw, 12, 3)
        built.same(*_texts(draw, 2, 3, 5, 12))
        texts = [_texts(draw, *sizes, 12) for sizes in ((2, 5, 3), (3, 3, 3), (2, 4, 1))]
        texts.append((draw.scores(2, 3, 12).transpose(0, 1), draw.scores(4, 3, 12).transpose(0, 1)))
        built.same_steps(*_steps(*texts))
        ask.build(draw, 6, 1).same(*_texts(draw, 2, 3, 4, 6))

    @behaviour("looks only where the mask lets it", points=2)
    def masked(ask, draw):
        ask.build(draw, 4, 2).same(*_texts(draw, 1, 1, 2, 4), torch.tensor([[[[True, False]]]]))
        built = ask.build(draw, 12, 3)
        built.same(*_texts(draw, 2, 4, 5, 12), mask=draw.mask(2, 1, 1, 5))
        texts = [(*_texts(draw, 2, 4, 5, 12), draw.mask(*shape)) for shape in ((4, 5), (2, 3, 4, 5))]
        built.same_steps(*_steps(*texts, (*_texts(draw, 3, 3, 3, 12), draw.mask(3, 1, 1, 3))))

    @behaviour("gives zeros before the output layer, never NaN, where nothing may be looked at", points=1)
    def empty(ask, draw):
        ask.build(draw, 4, 2).same(*_texts(draw, 1, 1, 2, 4), torch.tensor([[[[False, False]]]]))
        built = ask.build(draw, 12, 3)
        mask = draw.mask(3, 1, 1, 5)
        mask[1] = False
        each = draw.mask(2, 3, 4, 5)
        each[0, 1, 2] = False
        built.same_steps(
            *_steps((*_texts(draw, 3, 2, 5, 12), mask), (*_texts(draw, 2, 4, 5, 12), each)),
        )

    @behaviour("gives the same one position at a time, from keys and values that are made already", points=2)
    def steps(ask, draw):
        built = ask.build(draw, 4, 2)
        x, memory = _texts(draw, 1, 1, 2, 4)
        built.same(x, *_projected(built, memory), method="attend")
        built = ask.build(draw, 12, 3)
        x, memory = _texts(draw, 2, 4, 5, 12)
        made, mask, each = _projected(built, memory), draw.mask(2, 1, 1, 5), draw.mask(2, 1, 4, 5)
        now = [slice(position, position + 1) for position in range(4)]
        built.same_steps(
            *[Step("attend", (x[:, at], *made, mask)) for at in now[:2]],
            *[Step("attend", (x[:, at], *made, each[:, :, at])) for at in now[1:]],
        )
        other = draw.scores(2, 3, 12)
        built.same_steps(
            Step("project_memory", (memory,)),
            Step("project_memory", (other,)),
            Step("attend", (x, *made)),
            Step("__call__", (x, memory)),
            Step("__call__", (x, other)),
        )

    @behaviour("passes gradients back to the target and to the memory, and no NaN", points=1)
    def gradient(ask, draw):
        x, memory = _texts(draw, 1, 1, 2, 4)
        ask.build(draw, 4, 2).same_gradient(x, memory, upstream=draw.scores(1, 1, 4))
        built = ask.build(draw, 12, 3)
        x, memory = _texts(draw, 2, 3, 5, 12)
        mask = draw.mask(2, 1, 1, 5)
        mask[1] = False
        built.same_gradient(x, memory, mask, upstream=draw.scores(2, 3, 12))

    @behaviour("drops weights, and only while it trains", points=1)
    def drops(ask, draw):
        texts = _texts(draw, 1, 1, 2, 4)
        built = ask.build(draw, 4, 2, dropout=1.0)
        built.same(*texts, training=True)
        built.same(*texts)
        ask.build(draw, 4, 2).same(*texts, training=True)
        built = ask.build(draw, 12, 3, dropout=1.0)
        x, memory = _texts(draw, 2, 3, 5, 12)
        made = _projected(built, memory)
        built.same_steps(
            Step("project_memory", (memory,), training=True),
            Step("attend", (x, *made, draw.mask(2, 1, 1, 5)), training=True),
        )
        built = ask.build(draw, 12, 3, dropout=0.5)
        built.weights.update(_blind_to_dropped_weights(12))
        built.same(x, memory, training=True)
        _half_of_the_weights_dropped(ask, draw)

    @behaviour("keeps its arguments and their type, on any device", points=1)
    def neighbourly(ask, draw):
        built = ask.build(draw, 12, 3)
        x, memory = _texts(draw, 2, 3, 5, 12)
        mask = draw.mask(2, 1, 1, 5)
        mask[1] = False
        built.keeps_arguments(x, memory, mask)
        built.follows_device(x, memory, mask)
        for dtype in (torch.bfloat16, torch.float16):
            ask.build(draw, 8, 2, dtype=dtype).same(*_texts(draw, 2, 3, 4, 8, dtype), draw.mask(2, 1, 1, 4))

    @mistake(
        "You build heads that do not fit: 6 numbers cannot be shared by 4 heads. Raise a ValueError in "
        "`__init__`, where the mistake is made, instead of failing later with a strange shape.",
        breaks=layers,
    )
    class without_refusal(CrossAttention):
        def __init__(self, d_model, n_heads, dropout=0.0):
            nn.Module.__init__(self)
            self.n_heads, self.dropout = n_heads, dropout
            self.query = nn.Linear(d_model, d_model)
            self.key = nn.Linear(d_model, d_model)
            self.value = nn.Linear(d_model, d_model)
            self.output = nn.Linear(d_model, d_model)

    @mistake(
        "`assert` raises an AssertionError, and nothing at all where Python runs with -O: for a wrong "
        "argument, raise a ValueError.",
        breaks=layers,
    )
    class with_assert(CrossAttention):
        def __init__(self, d_model, n_heads, dropout=0.0):
            nn.Module.__init__(self)
            assert d_model % n_heads == 0
            self.n_heads, self.dropout = n_heads, dropout
            self.query = nn.Linear(d_model, d_model)
            self.key = nn.Linear(d_model, d_model)
            self.value = nn.Linear(d_model, d_model)
            self.output = nn.Linear(d_model, d_model)

    @mistake(
        "Your linear layers have no bias: this course's have one. Leave out `bias=False`.",
        breaks=layers,
    )
    class without_bias(CrossAttention):
        def __init__(self, d_model, n_heads, dropout=0.0):
            nn.Module.__init__(self)
            if d_model % n_heads:
                raise ValueError(f"{d_model} numbers cannot be shared by {n_heads} heads")
            self.n_heads, self.dropout = n_heads, dropout
            self.query = nn.Linear(d_model, d_model, bias=False)
            self.key = nn.Linear(d_model, d_model, bias=False)
            self.value = nn.Linear(d_model, d_model, bias=False)
            self.output = nn.Linear(d_model, d_model, bias=False)

    @mistake(
        "Your output layer takes `2 * d_model` numbers: you put what was found beside the decoder's state. "
        "The Transformer does not: it adds, and adding is the business of the layer around this module. "
        "`output` goes from `d_model` to `d_model`.",
        breaks=layers,
    )
    class concatenated(CrossAttention):
        def __init__(self, d_model, n_heads, dropout=0.0):
            nn.Module.__init__(self)
            if d_model % n_heads:
                raise ValueError(f"{d_model} numbers cannot be shared by {n_heads} heads")
            self.n_heads, self.dropout = n_heads, dropout
            self.query = nn.Linear(d_model, d_model)
            self.key = nn.Linear(d_model, d_model)
            self.value = nn.Linear(d_model, d_model)
            self.output = nn.Linear(2 * d_model, d_model)

        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            p = self.dropout if self.training else 0.0
            heads = F.scaled_dot_product_attention(query, key, value, mask, p)
            return self.output(torch.cat([x, merge_heads(heads)], dim=-1))

    @mistake(
        "Keys and values are exchanged: scores are then made of values, and keys are averaged. The layer "
        "`key` makes keys, and the order is `key, value`.",
        breaks=project,
    )
    class values_first(CrossAttention):
        def project_memory(self, memory):
            return split_heads(self.value(memory), self.n_heads), split_heads(self.key(memory), self.n_heads)

    @mistake(
        "Your keys and values are not split into heads yet: you split them in `attend`, and so again for "
        "every token that is written. Split them in `project_memory`, once.",
        breaks=project,
    )
    class split_too_late(CrossAttention):
        def project_memory(self, memory):
            return self.key(memory), self.value(memory)

        def attend(self, x, key, value, mask=None):
            query, key, value = (split_heads(made, self.n_heads) for made in (self.query(x), key, value))
            p = self.dropout if self.training else 0.0
            return self.output(merge_heads(F.scaled_dot_product_attention(query, key, value, mask, p)))

    @mistake(
        "Your values are made with the layer `key`, and the layer `value` is never used: what a token "
        "shows and what it gives are two different things.",
        breaks=project,
    )
    class keys_as_values(CrossAttention):
        def project_memory(self, memory):
            key = split_heads(self.key(memory), self.n_heads)
            return key, key

    @mistake(
        "You reach the shape (batch, heads, source, d_head) with a `view` alone: it cuts the sentence into "
        "heads instead of the vectors. Split the last axis first, then exchange the two axes.",
        breaks=project,
    )
    class viewed(CrossAttention):
        def project_memory(self, memory):
            batch, source, d_model = memory.shape
            shape = (batch, self.n_heads, source, d_model // self.n_heads)
            return self.key(memory).view(shape), self.value(memory).view(shape)

    @mistake(
        "You keep the first memory's keys and values for ever: the second sentence is translated from the "
        "first. The caller keeps them; `project_memory` makes them anew each time.",
        breaks=steps,
    )
    class remembers(CrossAttention):
        def project_memory(self, memory):
            if not hasattr(self, "made"):
                key = split_heads(self.key(memory), self.n_heads)
                self.made = key, split_heads(self.value(memory), self.n_heads)
            return self.made

    @mistake(
        "The roles are exchanged: your queries come from the memory, your keys and values from the target. "
        "The decoder asks, so its states make the queries; look at the length of what you return.",
        breaks=looks,
    )
    class roles_exchanged(CrossAttention):
        def forward(self, x, memory, mask=None):
            return self.attend(memory, *self.project_memory(x), mask)

    @mistake(
        "You never look at the memory: keys and values come from the target, which is self-attention. "
        "A translation would not depend on its source.",
        breaks=looks,
    )
    class looks_at_itself(CrossAttention):
        def forward(self, x, memory, mask=None):
            return self.attend(x, *self.project_memory(x), mask)

    @mistake(
        "Your scores are not divided by the root of `d_head`: the softmax saturates as heads grow.",
        breaks=looks,
    )
    class unscaled(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            p = self.dropout if self.training else 0.0
            heads = F.scaled_dot_product_attention(query, key, value, mask, p, scale=1.0)
            return self.output(merge_heads(heads))

    @mistake(
        "You divide the scores by the root of `d_model`: each head works with `d_head` numbers, so it is "
        "the root of `d_head`.",
        breaks=looks,
    )
    class scaled_by_d_model(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            p = self.dropout if self.training else 0.0
            scale = x.shape[-1] ** -0.5
            heads = F.scaled_dot_product_attention(query, key, value, mask, p, scale=scale)
            return self.output(merge_heads(heads))

    @mistake(
        "You divide by the root of `d_head` twice: `F.scaled_dot_product_attention` and `attention` do it "
        "already.",
        breaks=looks,
    )
    class scaled_twice(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads) / key.shape[-1] ** 0.5
            p = self.dropout if self.training else 0.0
            return self.output(merge_heads(F.scaled_dot_product_attention(query, key, value, mask, p)))

    @mistake(
        "Your softmax runs over the target positions: each source token shares itself out, instead of each "
        "target position sharing out its look. The softmax goes over the keys, the last axis.",
        breaks=looks,
    )
    class over_queries(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            scores = query @ key.mT / key.shape[-1] ** 0.5
            if mask is not None:
                scores = scores.masked_fill(~mask, float("-inf"))
            weights = F.dropout(scores.softmax(dim=-2).nan_to_num(0.0), self.dropout, self.training)
            return self.output(merge_heads(weights @ value))

    @mistake(
        "Your cross-attention is causal: the first target position sees only the first source token. The "
        "source is complete before the target begins; there is no future in it to hide.",
        breaks=looks,
    )
    class causal(CrossAttention):
        def attend(self, x, key, value, mask=None):
            past = torch.ones(x.shape[1], key.shape[-2], dtype=torch.bool, device=x.device).tril()
            query = split_heads(self.query(x), self.n_heads)
            p = self.dropout if self.training else 0.0
            mask = past if mask is None else past & mask
            return self.output(merge_heads(F.scaled_dot_product_attention(query, key, value, mask, p)))

    @mistake(
        "The output layer is missing: the heads stand side by side and nothing mixes them.",
        breaks=looks,
    )
    class without_output(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            p = self.dropout if self.training else 0.0
            return merge_heads(F.scaled_dot_product_attention(query, key, value, mask, p))

    @mistake(
        "You add `x` to the result here: that is the residual connection of the layer around this module, "
        "and then it is added twice. Return what was found in the memory, and nothing else.",
        breaks=looks,
    )
    class adds_the_state(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            p = self.dropout if self.training else 0.0
            return x + self.output(merge_heads(F.scaled_dot_product_attention(query, key, value, mask, p)))

    @mistake(
        "Your heads are merged by a reshape alone: the pieces of different positions are mixed. Exchange the "
        "axes of heads and positions first, as `merge_heads` does.",
        breaks=looks,
    )
    class merged_wrongly(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            p = self.dropout if self.training else 0.0
            heads = F.scaled_dot_product_attention(query, key, value, mask, p)
            return self.output(heads.reshape(x.shape))

    @mistake(
        "You ignore the mask: every target position looks at the padding of the source, and a translation "
        "depends on how long the other sentences in its batch are. Hand `mask` on to the attention.",
        breaks=masked,
    )
    class without_mask(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            p = self.dropout if self.training else 0.0
            return self.output(merge_heads(F.scaled_dot_product_attention(query, key, value, dropout_p=p)))

    @mistake(
        "`forward` takes a mask and does not hand it on to `attend`: the padding of the source is visible "
        "after all.",
        breaks=masked,
    )
    class mask_left_behind(CrossAttention):
        def forward(self, x, memory, mask=None):
            return self.attend(x, *self.project_memory(memory))

    @mistake(
        "Your mask is inverted: you look exactly at the padding. `nn.MultiheadAttention` marks what is "
        "hidden, `F.scaled_dot_product_attention` and this course mark what may be looked at.",
        breaks=masked,
    )
    class inverted(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            p = self.dropout if self.training else 0.0
            mask = None if mask is None else ~mask
            return self.output(merge_heads(F.scaled_dot_product_attention(query, key, value, mask, p)))

    @mistake(
        "You apply the mask after the softmax, or to the values: the padding's share is lost, and the "
        "weights of the real tokens no longer sum to one. Hide the scores before it.",
        breaks=masked,
    )
    class after_softmax(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            _, weights = attention(query, key, value)
            weights = weights if mask is None else weights * mask
            weights = F.dropout(weights, self.dropout, self.training)
            return self.output(merge_heads(weights @ value))

    @mistake(
        "You add the mask to the scores as if it were numbers: True adds 1 and False adds 0, and nothing is "
        "hidden. A boolean mask is filled in, with `masked_fill(~mask, -inf)`.",
        breaks=masked,
    )
    class mask_added(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            scores = query @ key.mT / key.shape[-1] ** 0.5
            scores = scores if mask is None else scores + mask
            weights = F.dropout(scores.softmax(dim=-1), self.dropout, self.training)
            return self.output(merge_heads(weights @ value))

    @mistake(
        "You multiply the scores by the mask: a hidden score becomes 0, and exp(0) = 1 is a weight like any "
        "other. It must become -inf.",
        breaks=masked,
    )
    class zeroed_scores(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            scores = query @ key.mT / key.shape[-1] ** 0.5
            scores = scores if mask is None else scores * mask
            weights = F.dropout(scores.softmax(dim=-1), self.dropout, self.training)
            return self.output(merge_heads(weights @ value))

    @mistake(
        "You take the mask's first query row for all target positions: a mask of shape (batch, 1, target, "
        "source) has a row for each. Let it broadcast as it is.",
        breaks=masked,
    )
    class first_row(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            p = self.dropout if self.training else 0.0
            mask = None if mask is None else mask[..., :1, :]
            return self.output(merge_heads(F.scaled_dot_product_attention(query, key, value, mask, p)))

    @mistake(
        "A source that is all padding gives NaN: the softmax of nothing but -inf is 0 / 0. Its weights must "
        "be zero, which `masked_softmax`, `attention` and `F.scaled_dot_product_attention` see to.",
        breaks=empty,
    )
    class nan_row(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            scores = query @ key.mT / key.shape[-1] ** 0.5
            if mask is not None:
                scores = scores.masked_fill(~mask, float("-inf"))
            weights = F.dropout(scores.softmax(dim=-1), self.dropout, self.training)
            return self.output(merge_heads(weights @ value))

    @mistake(
        "You hide with a large number, -1e9 or the smallest of the type: where all of a source is padding "
        "all its scores are equal, and the padding is averaged. Hide with -inf, and give such a row "
        "zeros.",
        breaks=empty,
    )
    class finite_fill(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            scores = query @ key.mT / key.shape[-1] ** 0.5
            if mask is not None:
                scores = scores.masked_fill(~mask, -1e9)
            weights = F.dropout(scores.softmax(dim=-1), self.dropout, self.training)
            return self.output(merge_heads(weights @ value))

    @mistake(
        "`attend` ignores the mask, though `forward` does not: written one token at a time, the translation "
        "looks at the padding. Let `forward` call `attend`, so that there is one way.",
        breaks=steps,
    )
    class attend_without_mask(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            p = self.dropout if self.training else 0.0
            return self.output(merge_heads(F.scaled_dot_product_attention(query, key, value, dropout_p=p)))

        def forward(self, x, memory, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            key, value = self.project_memory(memory)
            p = self.dropout if self.training else 0.0
            return self.output(merge_heads(F.scaled_dot_product_attention(query, key, value, mask, p)))

    @mistake(
        "No gradient reaches the memory: `.detach()` or `torch.no_grad()` around the keys and values cuts "
        "the graph, and the encoder learns nothing. They are made once, but they are learned from.",
        breaks=gradient,
    )
    class detached_memory(CrossAttention):
        def project_memory(self, memory):
            with torch.no_grad():
                return (
                    split_heads(self.key(memory), self.n_heads),
                    split_heads(self.value(memory), self.n_heads),
                )

    @mistake(
        "An empty row gives zeros, but its gradient is NaN: you replace NaN after the softmax, and on the "
        "way back 0 times NaN is NaN. Fill the scores with `masked_fill` instead of adding -inf to them.",
        breaks=gradient,
    )
    class nan_gradient(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            scores = query @ key.mT / key.shape[-1] ** 0.5
            if mask is not None:
                hidden = torch.zeros_like(mask, dtype=scores.dtype)
                scores = scores + hidden.masked_fill(~mask, float("-inf"))
            weights = F.dropout(scores.softmax(dim=-1).nan_to_num(0.0), self.dropout, self.training)
            return self.output(merge_heads(weights @ value))

    @mistake(
        "You drop weights when the module is used, too: after `eval()` nothing may be random. "
        "`F.scaled_dot_product_attention` does not know the mode; pass "
        "`self.dropout if self.training else 0.0`.",
        breaks=drops,
    )
    class always_drops(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            heads = F.scaled_dot_product_attention(query, key, value, mask, self.dropout)
            return self.output(merge_heads(heads))

    @mistake(
        "You take `dropout` and never use it: while the module trains, weights must be dropped.",
        breaks=drops,
    )
    class never_drops(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            return self.output(merge_heads(F.scaled_dot_product_attention(query, key, value, mask)))

    @mistake(
        "Your dropout acts on the result, after the output layer: in this module it acts on the weights, so "
        "that a position now and then does without a source token.",
        breaks=drops,
    )
    class drops_the_result(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            result = self.output(merge_heads(F.scaled_dot_product_attention(query, key, value, mask)))
            return F.dropout(result, self.dropout, self.training)

    @mistake(
        "You compute the attention in float32 and leave it so: in half precision the output layer refuses "
        "what it is given. Convert back to the type of `x`.",
        breaks=neighbourly,
    )
    class always_float32(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads).float()
            p = self.dropout if self.training else 0.0
            heads = F.scaled_dot_product_attention(query, key.float(), value.float(), mask, p)
            return self.output(merge_heads(heads))

    @mistake(
        "You write into the caller's mask: `logical_not_` with an underscore works in place, and the next "
        "layer finds the mask inverted. Write `~mask`.",
        breaks=neighbourly,
    )
    class in_place(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            scores = query @ key.mT / key.shape[-1] ** 0.5
            if mask is None:
                weights = scores.softmax(dim=-1)
            else:
                hidden = mask.logical_not_()
                weights = scores.masked_fill(hidden, float("-inf")).softmax(dim=-1)
                weights = weights.masked_fill(hidden, 0.0)
            return self.output(merge_heads(F.dropout(weights, self.dropout, self.training) @ value))

    @mistake(
        "You make a tensor on the CPU whatever the device of the input: on a GPU the model stops with "
        "'expected all tensors to be on the same device'. Take the device from `x`.",
        breaks=neighbourly,
    )
    class made_on_cpu(CrossAttention):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads)
            open_ = torch.ones(x.shape[1], key.shape[-2], dtype=torch.bool)
            p = self.dropout if self.training else 0.0
            mask = open_ if mask is None else open_ & mask
            return self.output(merge_heads(F.scaled_dot_product_attention(query, key, value, mask, p)))


class Alignment(Exercise):
    name = "alignment"
    solutions = solutions.cross_attention

    @behaviour("has the shape (batch, target, source) and the type of the weights", points=1)
    def convention(ask, draw):
        ask.same_kind(_weights(draw, 1, 2, 1, 3))
        ask.same_kind(_weights(draw, 2, 3, 4, 5))
        ask.same_kind(_weights(draw, 1, 1, 1, 2))
        ask.same_kind(_weights(draw, 2, 2, 3, 4).to(torch.bfloat16))
        ask.same_kind(_weights(draw, 2, 2, 3, 4).double())

    @behaviour("is the average over the heads", points=1)
    def average(ask, draw):
        ask.same(torch.tensor([[[[1.0, 0.0]], [[0.5, 0.5]]]]), types=False)
        ask.same(_weights(draw, 2, 3, 4, 5), types=False)
        ask.same(_weights(draw, 4, 4, 4, 4), types=False)
        ask.same(_weights(draw, 1, 1, 3, 2), types=False)
        ask.same(_weights(draw, 3, 2, 5, draw.integer(6, 9)), types=False)
        ask.same(_weights(draw, 3, 2, 5, 4).transpose(0, 1), types=False)

    @behaviour("passes gradients back to the weights of all heads", points=1)
    def gradient(ask, draw):
        ask.same_gradient(_weights(draw, 1, 2, 1, 3), upstream=draw.scores(1, 1, 3))
        ask.same_gradient(_weights(draw, 2, 3, 4, 5), upstream=draw.scores(2, 4, 5))

    @behaviour("leaves a row of zeros as it is, and the weights it was given", points=1)
    def neighbourly(ask, draw):
        weights = _weights(draw, 2, 3, 4, 5)
        weights[1, :, 2] = 0
        weights[0, 1, 3] = 0
        ask.same(weights, types=False)
        ask.keeps_arguments(weights)
        ask.follows_device(weights)

    @mistake(
        "You add the heads up: the rows then sum to the number of heads. Divide by it, or take the mean.",
        breaks=average,
    )
    def summed(weights):
        return weights.sum(dim=1)

    @mistake(
        "You average over the sentences of the batch: the axes are (batch, heads, target, source), and the "
        "heads are axis 1.",
        breaks=convention,
    )
    def over_batch(weights):
        return weights.mean(dim=0)

    @mistake(
        "You average over the target positions: then nobody is left who looks. The heads are axis 1.",
        breaks=convention,
    )
    def over_targets(weights):
        return weights.mean(dim=2)

    @mistake(
        "You average over the source tokens: every row sums to one, so this is the same number everywhere. "
        "The heads are axis 1.",
        breaks=convention,
    )
    def over_sources(weights):
        return weights.mean(dim=-1)

    @mistake(
        "You show the first head alone: the others looked elsewhere. Average them.",
        breaks=average,
    )
    def first_head(weights):
        return weights[:, 0]

    @mistake(
        "You show the last head alone: the others looked elsewhere. Average them.",
        breaks=average,
    )
    def last_head(weights):
        return weights[:, -1]

    @mistake(
        "You take the largest weight of all heads: the rows then sum to more than one. Average the heads.",
        breaks=average,
    )
    def largest(weights):
        return weights.amax(dim=1)

    @mistake(
        "You take the median of the heads: a head that looks elsewhere then counts for nothing, and rows do "
        "not sum to one. Take the mean.",
        breaks=average,
    )
    def median(weights):
        return weights.median(dim=1).values

    @mistake(
        "The axis of the heads is still there, with size 1: leave out `keepdim=True`.",
        breaks=convention,
    )
    def kept_axis(weights):
        return weights.mean(dim=1, keepdim=True)

    @mistake(
        "You remove every axis of size 1, not only that of the heads: a batch of one sentence loses its "
        "batch axis. Take the mean over axis 1, without `squeeze`.",
        breaks=convention,
    )
    def squeezed(weights):
        return weights.mean(dim=1, keepdim=True).squeeze()

    @mistake(
        "Your rows and columns are exchanged: rows are target tokens, who look, and columns source tokens.",
        breaks=convention,
    )
    def transposed(weights):
        return weights.mean(dim=1).mT

    @mistake(
        "You put the weights through a softmax: they are weights already, and this flattens them. "
        "The average is all.",
        breaks=average,
    )
    def softmax_again(weights):
        return weights.mean(dim=1).softmax(dim=-1)

    @mistake(
        "You choose the strongest source token of each row and give it everything: that is a decision, and "
        "it forgets how sure the model was. Return the averages.",
        breaks=average,
    )
    def hardened(weights):
        average = weights.mean(dim=1)
        return F.one_hot(average.argmax(dim=-1), average.shape[-1]).to(weights.dtype)

    @mistake(
        "You divide each row by its sum: a row that sees nothing gives 0 / 0, which is NaN. "
        "The average of rows that sum to one sums to one by itself.",
        breaks=neighbourly,
    )
    def normalised(weights):
        average = weights.mean(dim=1)
        return average / average.sum(dim=-1, keepdim=True)

    @mistake(
        "You return float32 whatever type the weights have: leave it as it is.",
        breaks=convention,
    )
    def always_float32(weights):
        return weights.float().mean(dim=1)

    @mistake(
        "You add the heads up in place, with `+=` on a view: the first head of the caller's weights is "
        "overwritten. Begin with a clone, or take the mean.",
        breaks=neighbourly,
    )
    def in_place(weights):
        total = weights[:, 0]
        for head in range(1, weights.shape[1]):
            total += weights[:, head]
        return total / weights.shape[1]

    @mistake(
        "No gradient reaches the weights: `.detach()`, `torch.no_grad()` or a way through NumPy cuts the "
        "graph. An alignment can be trained, and a mean needs none of them.",
        breaks=gradient,
    )
    def detached(weights):
        return weights.detach().mean(dim=1)

    @mistake(
        "You make your result on the CPU whatever the device of the weights: write `torch.zeros_like`, or "
        "pass `device=weights.device`.",
        breaks=neighbourly,
    )
    def made_on_cpu(weights):
        batch, heads, target, source = weights.shape
        total = torch.zeros(batch, target, source, dtype=weights.dtype)
        for head in range(heads):
            total = total + weights[:, head]
        return total / heads


def _weights(draw, batch, heads, target, source):
    """Weights as attention makes them: each row sums to one."""
    return draw.scores(batch, heads, target, source).softmax(dim=-1)


def _row_weights(draw, target, source):
    return draw.scores(target, source).softmax(dim=-1)


class WordAlignment(Exercise):
    name = "word_alignment"
    solutions = solutions.cross_attention

    @behaviour("has a row for each target word and a column for each source word", points=1)
    def convention(ask, draw):
        ask.same_kind(_row_weights(draw, 2, 3), [0, 0], [0, 1, 1])
        ask.same_kind(_row_weights(draw, 4, 7), [0, 1, 2, 3], [0, 1, 2, 2, 3, 3, 3])
        ask.same_kind(_row_weights(draw, 1, 1), [0], [0])
        ask.same_kind(_row_weights(draw, 5, 3).double(), (0, 1, 1, 2, 2), (0, 0, 1))
        ask.same_kind(_row_weights(draw, 5, 3).to(torch.bfloat16), [0, 1, 1, 2, 2], [0, 0, 1])

    @behaviour("adds up what goes to the tokens of one source word", points=2)
    def looked_at(ask, draw):
        ask.same(torch.tensor([[0.5, 0.25, 0.25]]), [0], [0, 1, 1], types=False)
        ask.same(_row_weights(draw, 4, 7), [0, 1, 2, 3], [0, 1, 2, 2, 3, 3, 3], types=False)
        ask.same(_row_weights(draw, 3, 4), [0, 1, 2], [0, 0, 0, 0], types=False)
        ask.same(_row_weights(draw, 3, 5), [0, 1, 2], [0, 1, 0, 2, 1], types=False)
        ask.same(_row_weights(draw, 2, 4), [0, 1], [2, 1, 1, 0], types=False)

    @behaviour("averages over the tokens of one target word", points=2)
    def looking(ask, draw):
        ask.same(torch.tensor([[0.5, 0.5], [0.25, 0.75]]), [0, 0], [0, 1], types=False)
        ask.same(_row_weights(draw, 7, 4), [0, 1, 2, 2, 3, 3, 3], [0, 1, 2, 3], types=False)
        ask.same(_row_weights(draw, 4, 3), [0, 0, 0, 0], [0, 1, 2], types=False)
        ask.same(_row_weights(draw, 5, 3), [0, 1, 0, 2, 1], [0, 1, 2], types=False)
        ask.same(_row_weights(draw, 4, 2), [2, 1, 1, 0], [0, 1], types=False)

    @behaviour("does both at once, wherever the tokens of a word stand", points=1)
    def both(ask, draw):
        ask.same(_row_weights(draw, 2, 2), [0, 0], [0, 0], types=False)
        ask.same(_row_weights(draw, 6, 7), [0, 1, 1, 2, 2, 2], [0, 0, 1, 2, 2, 2, 3], types=False)
        ask.same(_row_weights(draw, 5, 5), (0, 1, 0, 2, 2), (2, 0, 1, 1, 0), types=False)
        ask.same(_row_weights(draw, 5, 4).T, [0, 0, 1, 1], [1, 0, 0, 1, 2], types=False)
        empty = _row_weights(draw, 3, 4)
        empty[2] = 0
        ask.same(empty, [0, 1, 1], [0, 1, 1, 2], types=False)
        ask.same(empty, [0, 0, 1], [0, 1, 1, 2], types=False)

    @behaviour("passes gradients back to the weights", points=1)
    def gradient(ask, draw):
        ask.same_gradient(_row_weights(draw, 2, 3), [0, 0], [0, 1, 1], upstream=draw.scores(1, 2))
        ask.same_gradient(_row_weights(draw, 3, 4), [1, 0, 1], [0, 2, 1, 2], upstream=draw.scores(2, 3))

    @behaviour("keeps its arguments, on any device", points=1)
    def neighbourly(ask, draw):
        weights = _row_weights(draw, 3, 4)
        ask.keeps_arguments(weights, [0, 1, 1], [0, 1, 1, 2])
        ask.follows_device(weights, [0, 1, 1], [0, 1, 1, 2])

    @mistake(
        "You add up on both sides: a word of three tokens then spends three times its weight. Add over the "
        "tokens that are looked at, average over the tokens that look.",
        breaks=looking,
    )
    def summed_twice(weights, target_words, source_words):
        target = F.one_hot(torch.tensor(target_words, device=weights.device)).to(weights.dtype)
        source = F.one_hot(torch.tensor(source_words, device=weights.device)).to(weights.dtype)
        return target.T @ weights @ source

    @mistake(
        "You average on both sides: a source word of three characters then seems to get a third of what it "
        "gets. Add over the tokens that are looked at.",
        breaks=looked_at,
    )
    def averaged_twice(weights, target_words, source_words):
        target = F.one_hot(torch.tensor(target_words, device=weights.device)).to(weights.dtype)
        source = F.one_hot(torch.tensor(source_words, device=weights.device)).to(weights.dtype)
        return (target / target.sum(dim=0)).T @ weights @ (source / source.sum(dim=0))

    @mistake(
        "It is the wrong way round: you average over the source tokens and add up over the target tokens. "
        "What goes to parts of a word goes to the word, so add there; a word spends one in all, so average "
        "over its tokens.",
        breaks=looked_at,
    )
    def other_way_round(weights, target_words, source_words):
        target = F.one_hot(torch.tensor(target_words, device=weights.device)).to(weights.dtype)
        source = F.one_hot(torch.tensor(source_words, device=weights.device)).to(weights.dtype)
        return target.T @ weights @ (source / source.sum(dim=0))

    @mistake(
        "You keep the largest of a source word's weights: what its other tokens get is lost, and the rows "
        "no longer sum to one. Add them.",
        breaks=looked_at,
    )
    def largest(weights, target_words, source_words):
        target = F.one_hot(torch.tensor(target_words, device=weights.device)).to(weights.dtype)
        source = F.one_hot(torch.tensor(source_words, device=weights.device)).to(weights.dtype)
        words = [weights[:, mine].amax(dim=1) for mine in source.T.bool()]
        return (target / target.sum(dim=0)).T @ torch.stack(words, dim=1)

    @mistake(
        "Only the first token of a target word looks: average over all of them.",
        breaks=looking,
    )
    def first_token_looks(weights, target_words, source_words):
        target = F.one_hot(torch.tensor(target_words, device=weights.device)).to(weights.dtype)
        source = F.one_hot(torch.tensor(source_words, device=weights.device)).to(weights.dtype)
        return weights[target.argmax(dim=0)] @ source

    @mistake(
        "Only the last token of a target word looks: average over all of them.",
        breaks=looking,
    )
    def last_token_looks(weights, target_words, source_words):
        target = F.one_hot(torch.tensor(target_words, device=weights.device)).to(weights.dtype)
        source = F.one_hot(torch.tensor(source_words, device=weights.device)).to(weights.dtype)
        last = len(target) - 1 - target.flip(0).argmax(dim=0)
        return weights[last] @ source

    @mistake(
        "Only the first token of a source word is counted: add up what all of its tokens get.",
        breaks=looked_at,
    )
    def first_token_seen(weights, target_words, source_words):
        target = F.one_hot(torch.tensor(target_words, device=weights.device)).to(weights.dtype)
        source = F.one_hot(torch.tensor(source_words, device=weights.device)).to(weights.dtype)
        return (target / target.sum(dim=0)).T @ weights[:, source.argmax(dim=0)]

    @mistake(
        "The source is still in tokens: its columns must be joined as well, with `source_words`.",
        breaks=convention,
    )
    def source_left_alone(weights, target_words, source_words):
        target = F.one_hot(torch.tensor(target_words, device=weights.device)).to(weights.dtype)
        return (target / target.sum(dim=0)).T @ weights

    @mistake(
        "The target is still in tokens: its rows must be joined as well, with `target_words`.",
        breaks=convention,
    )
    def target_left_alone(weights, target_words, source_words):
        source = F.one_hot(torch.tensor(source_words, device=weights.device)).to(weights.dtype)
        return weights @ source

    @mistake(
        "Rows and columns are exchanged in your result: rows are target words, columns source words.",
        breaks=convention,
    )
    def transposed(weights, target_words, source_words):
        target = F.one_hot(torch.tensor(target_words, device=weights.device)).to(weights.dtype)
        source = F.one_hot(torch.tensor(source_words, device=weights.device)).to(weights.dtype)
        return ((target / target.sum(dim=0)).T @ weights @ source).T

    @mistake(
        "You join neighbours only: tokens of one word that stand apart become two words. The numbers in "
        "`target_words` and `source_words` say what belongs together, wherever it stands.",
        breaks=both,
    )
    def neighbours_only(weights, target_words, source_words):
        def numbered(words):
            numbers = [0]
            for token in range(1, len(words)):
                numbers.append(numbers[-1] + (words[token] != words[token - 1]))
            return torch.tensor(numbers, device=weights.device)

        target = F.one_hot(numbered(target_words)).to(weights.dtype)
        source = F.one_hot(numbered(source_words)).to(weights.dtype)
        return (target / target.sum(dim=0)).T @ weights @ source

    @mistake(
        "You number the words in the order in which they first appear: `target_words` and `source_words` "
        "number them already. Word 2 is row or column 2, wherever its tokens stand.",
        breaks=both,
    )
    def by_appearance(weights, target_words, source_words):
        def numbered(words):
            order = list(dict.fromkeys(words))
            return torch.tensor([order.index(word) for word in words], device=weights.device)

        target = F.one_hot(numbered(target_words)).to(weights.dtype)
        source = F.one_hot(numbered(source_words)).to(weights.dtype)
        return (target / target.sum(dim=0)).T @ weights @ source

    @mistake(
        "You divide each row by its sum at the end: a word that spent less than all then seems to have spent "
        "all, and one that sees nothing gives 0 / 0, which is NaN. Average over the target tokens.",
        breaks=both,
    )
    def normalised(weights, target_words, source_words):
        target = F.one_hot(torch.tensor(target_words, device=weights.device)).to(weights.dtype)
        source = F.one_hot(torch.tensor(source_words, device=weights.device)).to(weights.dtype)
        words = target.T @ weights @ source
        return words / words.sum(dim=1, keepdim=True)

    @mistake(
        "You return float32 whatever type the weights have: make your helpers in `weights.dtype`, and "
        "take no numbers out of tensors, which loses the gradient, too.",
        breaks=convention,
    )
    def always_float32(weights, target_words, source_words):
        target = F.one_hot(torch.tensor(target_words, device=weights.device)).to(weights.dtype)
        source = F.one_hot(torch.tensor(source_words, device=weights.device)).to(weights.dtype)
        target, source = target.float(), source.float()
        return (target / target.sum(dim=0)).T @ weights.float() @ source

    @mistake(
        "You add the columns up in the weights you were given: whoever called you finds them changed. Make "
        "a new tensor for the result.",
        breaks=neighbourly,
    )
    def in_place(weights, target_words, source_words):
        firsts = [list(source_words).index(word) for word in range(max(source_words) + 1)]
        for token, word in enumerate(source_words):
            if token != firsts[word]:
                weights[:, firsts[word]] += weights[:, token]
        target = F.one_hot(torch.tensor(target_words, device=weights.device)).to(weights.dtype)
        return ((target / target.sum(dim=0)).T @ weights)[:, firsts]

    @mistake(
        "You make a tensor on the CPU whatever the device of the weights: pass `device=weights.device`.",
        breaks=neighbourly,
    )
    def made_on_cpu(weights, target_words, source_words):
        target = F.one_hot(torch.tensor(target_words)).to(weights.dtype)
        source = F.one_hot(torch.tensor(source_words)).to(weights.dtype)
        return (target / target.sum(dim=0)).T @ weights @ source

    @mistake(
        "No gradient reaches the weights: `.item()`, `.detach()` or `torch.tensor(...)` around numbers taken "
        "out cuts the graph. An alignment can be trained: add and divide tensors.",
        breaks=gradient,
    )
    def detached(weights, target_words, source_words):
        weights = weights.detach()
        target = F.one_hot(torch.tensor(target_words, device=weights.device)).to(weights.dtype)
        source = F.one_hot(torch.tensor(source_words, device=weights.device)).to(weights.dtype)
        return (target / target.sum(dim=0)).T @ weights @ source
