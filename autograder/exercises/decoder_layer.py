"""What the three modules of chapter 06 must do, and how they go wrong."""

import torch
from torch import nn
from torch.nn import functional as F

import solutions.decoder_layer
from autograder.exercises.asking import Wrong
from autograder.exercises.comparing import show_call
from autograder.exercises.namespace import Step
from autograder.exercises.specification import Exercise, behaviour, mistake
from solutions.decoder_layer import FeedForward, LayerNorm, add_branch

NORMS = (
    "layer_norm", "native_layer_norm", "rms_norm", "fused_rms_norm", "batch_norm", "native_batch_norm",
    "group_norm", "native_group_norm", "instance_norm", "local_response_norm",
)  # fmt: skip
WHOLE = ("multi_head_attention_forward", "native_multi_head", "transformer_decoder", "transformer_encoder")


class LayerNormModule(Exercise):
    name = "LayerNorm"
    solutions = solutions.decoder_layer
    forbidden = NORMS

    @behaviour("has a weight and a bias for each place", points=1)
    def parameters(ask, draw):
        ask.build(draw, 4).same_parameters()

    @behaviour("gives each vector mean 0 and variance 1, then its scale and shift", points=2)
    def normalised(ask, draw):
        ask.build(draw, 4).same(draw.scores(2, 2, 4))
        far_out = 3 + 2 * draw.scores(2, 3, 12)
        far_out[..., 0] += 30
        ask.build(draw, 12).same_steps(
            Step("__call__", (far_out,), training=True),
            Step("__call__", (draw.scores(2, 3, 12),), training=False),
        )
        ask.build(draw, 4).same(draw.scores(4))
        # So far from zero that digits are lost with its square, and so large that `eps` does not matter.
        far_away = 1e10 + 1e5 * draw.scores(1, 4, dtype=torch.float64)
        ask.build(draw, 4, dtype=torch.float64).same(far_away)

    @behaviour("begins with a weight of ones and a bias of zeros", points=1)
    def begins(ask, draw):
        fresh = ask.build(draw, 4)
        fresh.weights = None
        fresh.same(draw.scores(2, 4))

    @behaviour("adds `eps` to the variance, under the root", points=1)
    def epsilon(ask, draw):
        small = 0.002 * draw.scores(2, 4)
        small[0] = 0.25
        ask.build(draw, 4).same(small)
        ask.build(draw, 4, eps=0.5).same(draw.scores(2, 4))

    @behaviour("passes gradients back, also through mean and variance", points=1)
    def gradient(ask, draw):
        ask.build(draw, 5).same_gradient(draw.scores(2, 3, 5), upstream=draw.scores(2, 3, 5))

    @behaviour("leaves its argument as it was, on any device", points=1)
    def neighbourly(ask, draw):
        built = ask.build(draw, 4)
        built.keeps_arguments(draw.scores(2, 4))
        built.follows_device(draw.scores(2, 3, 4))

    @mistake(
        "Your variance is the unbiased one: you divide the squared distances by d_model - 1. `var` does so "
        "by itself; layer normalisation takes their mean, `correction=0`.",
        breaks=normalised,
    )
    class unbiased(LayerNorm):
        def forward(self, x):
            variance = x.var(dim=-1, keepdim=True)
            return (x - x.mean(dim=-1, keepdim=True)) / (variance + self.eps).sqrt() * self.weight + self.bias

    @mistake(
        "You add `eps` to the standard deviation, after the root. For vectors of ordinary size nobody sees "
        "it, for small ones it does: add it to the variance, under the root.",
        breaks=epsilon,
    )
    class eps_after_the_root(LayerNorm):
        def forward(self, x):
            deviation = x.var(dim=-1, keepdim=True, correction=0).sqrt()
            return (x - x.mean(dim=-1, keepdim=True)) / (deviation + self.eps) * self.weight + self.bias

    @mistake(
        "`x.std()` is two things at once that layer normalisation does not do: it divides by d_model - 1, "
        "and `eps` comes after its root. Take the mean of the squared distances, add `eps`, then the root.",
        breaks=normalised,
    )
    class with_std(LayerNorm):
        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            return centred / (x.std(dim=-1, keepdim=True) + self.eps) * self.weight + self.bias

    @mistake(
        "Without `eps` a vector whose numbers are all equal is divided by zero, and gives NaN. Add it to "
        "the variance, under the root.",
        breaks=epsilon,
    )
    class without_eps(LayerNorm):
        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            return centred / centred.square().mean(dim=-1, keepdim=True).sqrt() * self.weight + self.bias

    @mistake(
        "You take `eps` and use 1e-5 all the same: keep the argument in `self.eps`.",
        breaks=epsilon,
    )
    class eps_not_taken(LayerNorm):
        def __init__(self, d_model, eps=1e-5):
            super().__init__(d_model)

    @mistake(
        "You divide by the variance. It is a mean of squares; its root has the size of the numbers "
        "themselves.",
        breaks=normalised,
    )
    class without_root(LayerNorm):
        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            variance = centred.square().mean(dim=-1, keepdim=True)
            return centred / (variance + self.eps) * self.weight + self.bias

    @mistake(
        "You normalise axis 1. With two axes that is the vector, with three it is the sentence: count from "
        "the end, `dim=-1`.",
        breaks=normalised,
    )
    class over_axis_one(LayerNorm):
        def forward(self, x):
            centred = x - x.mean(dim=1, keepdim=True)
            variance = centred.square().mean(dim=1, keepdim=True)
            return centred / (variance + self.eps).sqrt() * self.weight + self.bias

    @mistake(
        "You normalise a whole sentence at once: each vector then depends on the others, the later ones "
        "included. Mean and variance are those of one vector, `dim=-1`.",
        breaks=normalised,
    )
    class over_the_sentence(LayerNorm):
        def forward(self, x):
            axes = tuple(range(1, x.dim())) or (0,)
            centred = x - x.mean(dim=axes, keepdim=True)
            variance = centred.square().mean(dim=axes, keepdim=True)
            return centred / (variance + self.eps).sqrt() * self.weight + self.bias

    @mistake(
        "You take one mean and one variance over all that comes in: a sentence then depends on its "
        "neighbours in the batch. Mean and variance are those of one vector: give `dim=-1` and "
        "`keepdim=True`.",
        breaks=normalised,
    )
    class over_everything(LayerNorm):
        def forward(self, x):
            centred = x - x.mean()
            return centred / (centred.square().mean() + self.eps).sqrt() * self.weight + self.bias

    @mistake(
        "You normalise each place over all tokens: that is batch normalisation, and a token then depends on "
        "who else is in the batch. Normalise each token's vector, `dim=-1`.",
        breaks=normalised,
    )
    class over_the_batch(LayerNorm):
        def forward(self, x):
            rows = x.reshape(-1, x.shape[-1])
            centred = x - rows.mean(dim=0)
            variance = rows.var(dim=0, correction=0)
            return centred / (variance + self.eps).sqrt() * self.weight + self.bias

    @mistake(
        "You do not subtract the mean: that is RMSNorm, which chapter 11 has. Here a vector is centred "
        "first.",
        breaks=normalised,
    )
    class without_centring(LayerNorm):
        def forward(self, x):
            square = x.square().mean(dim=-1, keepdim=True)
            return x / (square + self.eps).sqrt() * self.weight + self.bias

    @mistake(
        "Your variance is the mean of the squares of `x` itself: it is the mean of the squared distances "
        "from the mean. Centre first, and use what is centred for both.",
        breaks=normalised,
    )
    class square_of_what_is_not_centred(LayerNorm):
        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            square = x.square().mean(dim=-1, keepdim=True)
            return centred / (square + self.eps).sqrt() * self.weight + self.bias

    @mistake(
        "You make `weight` and `bias` and do not use them: multiply what is normalised by the weight, then "
        "add the bias.",
        breaks=normalised,
    )
    class unused_parameters(LayerNorm):
        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            return centred / (centred.square().mean(dim=-1, keepdim=True) + self.eps).sqrt()

    @mistake(
        "You add the bias before you multiply by the weight: the bias comes last.",
        breaks=normalised,
    )
    class bias_first(LayerNorm):
        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            variance = centred.square().mean(dim=-1, keepdim=True)
            return (centred / (variance + self.eps).sqrt() + self.bias) * self.weight

    @mistake(
        "There is no `bias`: after the scale, each place has its own shift.",
        breaks=parameters,
    )
    class without_bias(nn.Module):
        def __init__(self, d_model, eps=1e-5):
            super().__init__()
            self.eps, self.weight = eps, nn.Parameter(torch.ones(d_model))

        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            variance = centred.square().mean(dim=-1, keepdim=True)
            return centred / (variance + self.eps).sqrt() * self.weight

    @mistake(
        "`weight` and `bias` are tensors and not parameters: no optimizer will find them. Wrap them in "
        "`nn.Parameter`.",
        breaks=parameters,
    )
    class plain_tensors(nn.Module):
        def __init__(self, d_model, eps=1e-5):
            super().__init__()
            self.eps, self.weight, self.bias = eps, torch.ones(d_model), torch.zeros(d_model)

        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            variance = centred.square().mean(dim=-1, keepdim=True)
            return centred / (variance + self.eps).sqrt() * self.weight + self.bias

    @mistake(
        "You have one scale and one shift for the whole vector: each of the `d_model` places has its own.",
        breaks=parameters,
    )
    class one_for_all(LayerNorm):
        def __init__(self, d_model, eps=1e-5):
            super().__init__(d_model, eps)
            self.weight, self.bias = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))

    @mistake(
        "Your weight begins at zero: the layer gives nothing but its bias, and no gradient comes through. "
        "It begins at one, and only the bias at zero.",
        breaks=begins,
    )
    class begins_at_zero(LayerNorm):
        def __init__(self, d_model, eps=1e-5):
            super().__init__(d_model, eps)
            nn.init.zeros_(self.weight)

    @mistake(
        "Your bias begins at one: every vector is shifted before anything is learned. It begins at zero.",
        breaks=begins,
    )
    class bias_begins_at_one(LayerNorm):
        def __init__(self, d_model, eps=1e-5):
            super().__init__(d_model, eps)
            nn.init.ones_(self.bias)

    @mistake(
        "You take mean and variance out of the graph, with `detach` or `no_grad`. They depend on the vector "
        "too, and its gradient without them is wrong.",
        breaks=gradient,
    )
    class detached(LayerNorm):
        def forward(self, x):
            mean = x.detach().mean(dim=-1, keepdim=True)
            variance = (x.detach() - mean).square().mean(dim=-1, keepdim=True)
            return (x - mean) / (variance + self.eps).sqrt() * self.weight + self.bias

    @mistake(
        "You centre `x` in place, and change the vectors of whoever called. They are still needed: the "
        "residual goes past the norm. Write `x = x - mean`, not `x -= mean`.",
        breaks=neighbourly,
    )
    class in_place(LayerNorm):
        def forward(self, x):
            x -= x.mean(dim=-1, keepdim=True)
            variance = x.square().mean(dim=-1, keepdim=True)
            return x / (variance + self.eps).sqrt() * self.weight + self.bias

    @mistake(
        "You make a tensor on the CPU, for `eps` or for a mean: with the vectors on a GPU that is another "
        "device. A plain number can be added to any tensor.",
        breaks=neighbourly,
    )
    class eps_on_the_cpu(LayerNorm):
        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            variance = centred.square().mean(dim=-1, keepdim=True)
            eps = torch.full(variance.shape, self.eps)
            return centred / (variance + eps).sqrt() * self.weight + self.bias

    @mistake(
        "Your variance is the mean of the squares minus the square of the mean. On paper that is the same; "
        "far from zero two large numbers are subtracted, and the digits that matter are lost. Centre first, "
        "and take the mean of the squares of what is left.",
        breaks=normalised,
    )
    class digits_cancel(LayerNorm):
        def forward(self, x):
            mean = x.mean(dim=-1, keepdim=True)
            variance = x.square().mean(dim=-1, keepdim=True) - mean.square()
            return (x - mean) / (variance + self.eps).sqrt() * self.weight + self.bias

    @mistake(
        "You compute and answer in 32 bits, whatever comes in: the next layer, in 64 or 16 bits, will refuse "
        "the result, and in 64 bits digits are lost. Leave the type as it is.",
        breaks=normalised,
    )
    class always_32_bits(LayerNorm):
        def forward(self, x):
            wide = x.float()
            centred = wide - wide.mean(dim=-1, keepdim=True)
            variance = centred.square().mean(dim=-1, keepdim=True)
            return centred / (variance + self.eps).sqrt() * self.weight.float() + self.bias.float()

    @mistake(
        "You divide by the root of the sum of the squares: each vector has length 1 then, and its numbers "
        "shrink as `d_model` grows. The variance is their mean.",
        breaks=normalised,
    )
    class sum_of_squares(LayerNorm):
        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            total = centred.square().sum(dim=-1, keepdim=True)
            return centred / (total + self.eps).sqrt() * self.weight + self.bias

    @mistake(
        "You never divide: centred vectors keep the size they had, and a branch reads numbers as large as "
        "the stream has grown. Divide by the root of the variance plus `eps`.",
        breaks=normalised,
    )
    class only_centres(LayerNorm):
        def forward(self, x):
            return (x - x.mean(dim=-1, keepdim=True)) * self.weight + self.bias

    @mistake(
        "You make `bias` and never add it: it would stay at zero for ever. It comes last, after the weight.",
        breaks=normalised,
    )
    class bias_not_added(LayerNorm):
        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            variance = centred.square().mean(dim=-1, keepdim=True)
            return centred / (variance + self.eps).sqrt() * self.weight

    @mistake(
        "Your parameters are called `gamma` and `beta`, as in some papers. Here, as in PyTorch, they are "
        "`weight` and `bias`, so that weights of one can be loaded into the other.",
        breaks=parameters,
    )
    class gamma_and_beta(nn.Module):
        def __init__(self, d_model, eps=1e-5):
            super().__init__()
            self.eps = eps
            self.gamma, self.beta = nn.Parameter(torch.ones(d_model)), nn.Parameter(torch.zeros(d_model))

        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            variance = centred.square().mean(dim=-1, keepdim=True)
            return self.gamma * centred / (variance + self.eps).sqrt() + self.beta

    @mistake(
        "Where nobody says otherwise your `eps` is another than 1e-5: small vectors come out larger than in "
        "PyTorch's `nn.LayerNorm`. Write `eps: float = 1e-5`.",
        breaks=epsilon,
    )
    class another_default(LayerNorm):
        def __init__(self, d_model, eps=1e-6):
            super().__init__(d_model, eps)

    @mistake(
        "You take `eps` for the least that the variance may be. It is added to every variance, under the "
        "root, small or not.",
        breaks=epsilon,
    )
    class eps_as_a_floor(LayerNorm):
        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            variance = centred.square().mean(dim=-1, keepdim=True).clamp(min=self.eps)
            return centred / variance.sqrt() * self.weight + self.bias


def _wrong_by_chance(ask, call, message):
    """What chance has given is wrong: remembered, it may be what a known mistake gives by the same chance."""
    ask.outcomes(call)
    raise Wrong(message, show_call(call))


def _by_chance(ask, call):
    """What a module answers step by step where chance decides: numbers, of the shape of the argument."""
    found, _ = ask.outcomes(call, by_chance=True)
    for step in found.steps:
        ask.no_error(call, step)
    x = call.steps[0].arguments[0]
    values = [step.value for step in found.steps]
    if len(values) < len(call.steps) or not all(_are_numbers_like(value, x) for value in values):
        _wrong_by_chance(ask, call, "in training it gives something else than numbers like its argument's")
    return values


def _are_numbers_like(value, x):
    like = isinstance(value, torch.Tensor) and (value.dtype, value.shape) == (x.dtype, x.shape)
    return like and bool(value.isfinite().all())


def _drops_each_hidden_number_by_itself(ask):
    """Ones go through, in training twice: a quarter is dropped, the rest is divided by three quarters."""
    eye, zeros, ones, x = torch.eye(24), torch.zeros(24), torch.ones(24), torch.ones(24, 24)
    weights = {"up.weight": (eye + eye.roll(1, 0)) / 2, "up.bias": zeros}
    weights |= {"down.weight": eye, "down.bias": ones}
    steps = tuple(Step("__call__", (x,), training=mode) for mode in (True, None, False))
    call = ask.call(24, 24, keywords={"dropout": 0.25}, steps=steps, weights=weights)
    once, again, in_use = (value - 1 for value in _by_chance(ask, call))
    kept = once != 0
    if not torch.equal(in_use, x):
        _wrong_by_chance(ask, call, "after eval() it drops out, too, or scales what it keeps")
    if abs(kept.double().mean() - 0.75) > 0.12:  # six times what chance makes of it
        _wrong_by_chance(ask, call, "in training it does not drop the share that `dropout` says")
    if (once[kept] == 1).all():
        _wrong_by_chance(ask, call, "in training it does not divide what it keeps by 1 - dropout")
    if not ((once[kept] - 4 / 3).abs() < 0.01).all():
        _wrong_by_chance(ask, call, "in training it drops out elsewhere too, or gives other numbers")
    if (kept == kept[0]).all() or (kept == kept[:, :1]).all():
        _wrong_by_chance(ask, call, "in training it does not drop each hidden number of each token by itself")
    if torch.equal(once, again):
        _wrong_by_chance(ask, call, "in training it drops the same numbers at every call")


class FeedForwardModule(Exercise):
    name = "FeedForward"
    solutions = solutions.decoder_layer

    @behaviour("has the layers up and down, with a bias each", points=1)
    def layers(ask, draw):
        ask.build(draw, d_model=4, d_ff=6).same_parameters()

    @behaviour("goes up, through the ReLU, and down, at every position by itself", points=2)
    def values(ask, draw):
        ask.build(draw, 4, 6).same(draw.scores(1, 4))
        ask.build(draw, 5, 7).same(draw.scores(2, 3, 5))
        ask.build(draw, 5, 7).same(draw.scores(5))
        ask.build(draw, 4, 8, dtype=torch.float64).same(20 * draw.scores(9, 4, dtype=torch.float64))

    @behaviour("passes gradients back, and leaves its argument as it was, on any device", points=1)
    def gradient(ask, draw):
        x, upstream = draw.scores(2, 3, 4), draw.scores(2, 3, 4)
        built = ask.build(draw, 4, 6)
        built.same_gradient(x, upstream=upstream)
        built.keeps_arguments(x)
        built.follows_device(x)

    @behaviour("drops out between the two layers, and only while it trains", points=1)
    def drops(ask, draw):
        x = draw.scores(1, 2, 4)
        _drops_each_hidden_number_by_itself(ask)
        ask.build(draw, 4, 6).same(x, training=True)
        everything = Step("__call__", (x,), upstream=draw.scores(1, 2, 4), training=True)
        ask.build(draw, 4, 6, dropout=1.0).same_steps(everything)

    @mistake(
        "There is no ReLU: two linear layers in a row are one linear layer, and `d_ff` buys nothing. Put it "
        "between them.",
        breaks=values,
    )
    class without_relu(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(self.up(x)))

    @mistake(
        "Your ReLU comes after `down`: the two layers before it are one, and a branch could add to its "
        "input but never take away. It stands between them.",
        breaks=values,
    )
    class relu_at_the_end(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(self.up(x))).relu()

    @mistake(
        "You use the ReLU twice. After `down` there is none: what is added to the stream may be negative.",
        breaks=values,
    )
    class relu_twice(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(self.up(x).relu())).relu()

    @mistake(
        "The ReLU comes before `up`: what comes in is cut off, and nothing stands between the two layers.",
        breaks=values,
    )
    class relu_first(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(self.up(x.relu())))

    @mistake(
        "You use a GELU, as BERT and GPT-2 do. The Transformer of 2017, and this exercise, has a ReLU.",
        breaks=values,
    )
    class gelu(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(F.gelu(self.up(x))))

    @mistake(
        "You use a leaky ReLU, which lets a little of what is negative through. A ReLU cuts it off.",
        breaks=values,
    )
    class leaky(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(F.leaky_relu(self.up(x))))

    @mistake(
        "You use a sigmoid where the ReLU belongs: its slope is at most a quarter.",
        breaks=values,
    )
    class sigmoid(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(self.up(x).sigmoid()))

    @mistake(
        "You add `x` to the result here. The residual is the business of the layer around this one, and it "
        "would be added twice.",
        breaks=values,
    )
    class adds_x(FeedForward):
        def forward(self, x):
            return x + self.down(self.dropout(self.up(x).relu()))

    @mistake(
        "You normalise what comes in. The norm, too, belongs to the layer around this one.",
        breaks=values,
    )
    class normalises(FeedForward):
        def forward(self, x):
            centred = x - x.mean(dim=-1, keepdim=True)
            x = centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
            return self.down(self.dropout(self.up(x).relu()))

    @mistake(
        "You average over the positions: the feed-forward network works on each vector by itself. Attention "
        "is what carries things from one position to another.",
        breaks=values,
    )
    class averages_positions(FeedForward):
        def forward(self, x):
            hidden = self.up(x).relu()
            if x.dim() > 1:
                hidden = hidden.mean(dim=-2, keepdim=True).expand_as(hidden)
            return self.down(self.dropout(hidden))

    @mistake(
        "Your layers have no bias: both have one here. Leave out `bias=False`.",
        breaks=layers,
    )
    class without_bias(FeedForward):
        def __init__(self, d_model, d_ff, dropout=0.0):
            super().__init__(d_model, d_ff, dropout)
            self.up = nn.Linear(d_model, d_ff, bias=False)
            self.down = nn.Linear(d_ff, d_model, bias=False)

    @mistake(
        "The names are exchanged: `up` is the first layer and goes from `d_model` to `d_ff`, `down` leads "
        "back.",
        breaks=layers,
    )
    class names_exchanged(FeedForward):
        def __init__(self, d_model, d_ff, dropout=0.0):
            super().__init__(d_model, d_ff, dropout)
            self.up, self.down = nn.Linear(d_ff, d_model), nn.Linear(d_model, d_ff)

        def forward(self, x):
            return self.up(self.dropout(self.down(x).relu()))

    @mistake(
        "You take `d_ff` and do not use it: between the two layers there are `d_ff` numbers, not `d_model`.",
        breaks=layers,
    )
    class as_narrow_as_before(FeedForward):
        def __init__(self, d_model, d_ff, dropout=0.0):
            super().__init__(d_model, d_model, dropout)

    @mistake(
        "You have one matrix and use it turned round on the way back: `up` and `down` learn separately.",
        breaks=layers,
    )
    class one_matrix(FeedForward):
        def __init__(self, d_model, d_ff, dropout=0.0):
            super().__init__(d_model, d_ff, dropout)
            self.down = nn.ParameterDict({"bias": nn.Parameter(torch.zeros(d_model))})

        def forward(self, x):
            return F.linear(self.dropout(self.up(x).relu()), self.up.weight.T, self.down["bias"])

    @mistake(
        "You take `dropout` and never use it: while the module trains, hidden numbers must be dropped.",
        breaks=drops,
    )
    class never_drops(FeedForward):
        def forward(self, x):
            return self.down(self.up(x).relu())

    @mistake(
        "You drop out after `eval()`, too: `F.dropout` does not know the mode. Pass "
        "`training=self.training`, or use `nn.Dropout`.",
        breaks=drops,
    )
    class always_drops(FeedForward):
        def forward(self, x):
            return self.down(F.dropout(self.up(x).relu(), self.dropout.p))

    @mistake(
        "Your dropout comes after `down`: here it acts on the hidden numbers, between the two layers. What "
        "the branch gives is dropped by the layer around it.",
        breaks=drops,
    )
    class drops_the_result(FeedForward):
        def forward(self, x):
            return self.dropout(self.down(self.up(x).relu()))

    @mistake(
        "Your dropout acts on what comes in: it acts on the hidden numbers, after the ReLU.",
        breaks=drops,
    )
    class drops_the_input(FeedForward):
        def forward(self, x):
            return self.down(self.up(self.dropout(x)).relu())

    @mistake(
        "You take `dropout` for the share that is kept: it is the share that is dropped, so 0 means that "
        "nothing is.",
        breaks=drops,
    )
    class keeps_instead(FeedForward):
        def __init__(self, d_model, d_ff, dropout=0.0):
            super().__init__(d_model, d_ff, 1 - dropout)

    @mistake(
        "You drop numbers and do not scale up the rest: in training the sum is then smaller than in use. "
        "`nn.Dropout` divides what it keeps by the share that is kept.",
        breaks=drops,
    )
    class does_not_scale(FeedForward):
        def forward(self, x):
            hidden = self.up(x).relu()
            if self.training:
                hidden = hidden * (torch.rand_like(hidden) >= self.dropout.p)
            return self.down(hidden)

    @mistake(
        "You use a SiLU, as LLaMA does. The Transformer of 2017, and this exercise, has a ReLU.",
        breaks=values,
    )
    class silu(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(F.silu(self.up(x))))

    @mistake(
        "You use a tanh where the ReLU belongs: what is negative passes, and what is large is cut off.",
        breaks=values,
    )
    class tanh(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(self.up(x).tanh()))

    @mistake(
        "Your ReLU has a lid, as ReLU6 has: what is found strongly counts no more than what is found a "
        "little. Cut off below zero only.",
        breaks=values,
    )
    class with_a_lid(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(F.relu6(self.up(x))))

    @mistake(
        "Your layers have PyTorch's names, `linear1` and `linear2`. Here the first is `up` and the second "
        "`down`.",
        breaks=layers,
    )
    class linear1_and_linear2(nn.Module):
        def __init__(self, d_model, d_ff, dropout=0.0):
            super().__init__()
            self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
            self.dropout = nn.Dropout(dropout)

        def forward(self, x):
            return self.linear2(self.dropout(self.linear1(x).relu()))

    @mistake(
        "You take the hidden numbers out of the graph: `up`, and all that comes before it, learns nothing.",
        breaks=gradient,
    )
    class hidden_detached(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(self.up(x).relu().detach()))

    @mistake(
        "You take `x` out of the graph: this network learns, and no layer before it does.",
        breaks=gradient,
    )
    class input_detached(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(self.up(x.detach()).relu()))

    @mistake(
        "You drop in place what the ReLU has given. The backward pass still needs it, and fails while you "
        "train. Leave out `inplace=True`.",
        breaks=drops,
    )
    class drops_in_place(FeedForward):
        def __init__(self, d_model, d_ff, dropout=0.0):
            super().__init__(d_model, d_ff)
            self.dropout = nn.Dropout(dropout, inplace=True)

    @mistake(
        "You change `x` in place: whoever called still needs its vectors, for the residual and for the "
        "backward pass. Make tensors of your own.",
        breaks=gradient,
    )
    class in_place(FeedForward):
        def forward(self, x):
            return x.copy_(self.down(self.dropout(self.up(x).relu())))

    @mistake(
        "You make the zeros of your ReLU on the CPU: with the vectors on a GPU that is another device. Use "
        "`relu()`, or `torch.zeros_like`.",
        breaks=gradient,
    )
    class zeros_on_the_cpu(FeedForward):
        def forward(self, x):
            hidden = self.up(x)
            hidden = torch.maximum(hidden, torch.zeros(hidden.shape, dtype=hidden.dtype))
            return self.down(self.dropout(hidden))

    @mistake(
        "You drop out after `eval()`, and not while it trains: it is the other way round, "
        "`training=self.training`.",
        breaks=drops,
    )
    class drops_in_use_alone(FeedForward):
        def forward(self, x):
            return self.down(F.dropout(self.up(x).relu(), self.dropout.p, not self.training))

    @mistake(
        "Where nobody says otherwise you drop a tenth: the default of `dropout` is 0.0.",
        breaks=drops,
    )
    class drops_by_default(FeedForward):
        def __init__(self, d_model, d_ff, dropout=0.1):
            super().__init__(d_model, d_ff, dropout)

    @mistake(
        "You drop the same share, whatever `dropout` says: hand it on, `nn.Dropout(dropout)`.",
        breaks=drops,
    )
    class always_drops_a_tenth(FeedForward):
        def __init__(self, d_model, d_ff, dropout=0.0):
            super().__init__(d_model, d_ff, 0.1)

    @mistake(
        "Your dropout acts twice, on the hidden numbers and on the result. What the branch gives is dropped "
        "by the layer around it: here only what is between.",
        breaks=drops,
    )
    class drops_the_result_too(FeedForward):
        def forward(self, x):
            return self.dropout(self.down(self.dropout(self.up(x).relu())))

    @mistake(
        "Your dropout acts twice, on what comes in and on the hidden numbers. Here only what is between the "
        "two layers is dropped.",
        breaks=drops,
    )
    class drops_the_input_too(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(self.up(self.dropout(x)).relu()))

    @mistake(
        "You drop the hidden numbers before the ReLU and after it: fewer are left than `dropout` says. Once "
        "is enough.",
        breaks=drops,
    )
    class drops_before_and_after(FeedForward):
        def forward(self, x):
            return self.down(self.dropout(self.dropout(self.up(x)).relu()))

    @mistake(
        "You drop the same hidden numbers at every position. Each token's are drawn by themselves: give the "
        "dropout all hidden numbers, not a vector of `d_ff`.",
        breaks=drops,
    )
    class drops_alike_everywhere(FeedForward):
        def forward(self, x):
            kept = self.dropout(torch.ones_like(self.up.bias))
            return self.down(self.up(x).relu() * kept)

    @mistake(
        "You drop whole tokens: everything that is hidden in one, or nothing. Each hidden number is dropped "
        "by itself.",
        breaks=drops,
    )
    class drops_whole_tokens(FeedForward):
        def forward(self, x):
            hidden = self.up(x).relu()
            return self.down(hidden * self.dropout(torch.ones_like(hidden[..., :1])))


class DecoderLayer(solutions.decoder_layer.DecoderLayer):
    """The reference in two parts, of which a mistake may change either."""

    def forward(self, x, memory, self_mask=None, memory_mask=None):
        return self.connect(
            x,
            lambda x: self.self_attention(x, self_mask),
            lambda x: self.cross_attention(x, memory, memory_mask),
        )

    def connect(self, x, look_back, look_at_memory):
        """The layer around two ways to attend."""
        how = self.dropout, self.norm_first
        x = add_branch(x, look_back, self.self_norm, *how)
        x = add_branch(x, look_at_memory, self.cross_norm, *how)
        return add_branch(x, self.feed_forward, self.feed_norm, *how)


def _texts(draw, batch, target, source, d_model, dtype=torch.float32):
    """What the decoder has so far, and the memory."""
    x, memory = draw.scores(batch, target, d_model), draw.scores(batch, source, d_model)
    return x.to(dtype), memory.to(dtype)


def _masks(draw, batch, target, source):
    """A decoder's mask with padding and a memory's mask; nobody looks nowhere."""
    past = torch.ones(target, target).tril().bool() & draw.mask(batch, 1, 1, target)
    past[..., 0] = True
    return past, draw.mask(batch, 1, 1, source)


def _branches_that_hand_on(n):
    """Weights with which the branches read ones and give 1, 10 and 100 + 200 where nothing is dropped."""
    ones, zeros, eye = torch.ones(n), torch.zeros(n), torch.eye(n)
    made = {"feed_forward.up.weight": eye, "feed_forward.down.weight": 100 * eye}
    made |= {"feed_forward.up.bias": zeros, "feed_forward.down.bias": 200 * ones}
    for name, size in (("self_attention", 1), ("cross_attention", 10)):
        for layer in ("query", "key", "value", "output"):
            made |= {f"{name}.{layer}.weight": eye, f"{name}.{layer}.bias": zeros}
        made[f"{name}.value.weight"] = size * eye
    for name in ("self_norm", "cross_norm", "feed_norm"):
        made |= {f"{name}.weight": zeros, f"{name}.bias": ones}
    return made


def _drops_half_of_each_branch(ask):
    """In training, with dropout 0.5, a branch gives nothing or twice what it has, the third twice over."""
    x, memory = torch.full((5, 6, 8), 1000.0), torch.ones(5, 3, 8)
    steps = tuple(Step("__call__", (x, memory), training=mode) for mode in (True, False))
    call = ask.call(8, 2, 8, keywords={"dropout": 0.5}, steps=steps, weights=_branches_that_hand_on(8))
    value, in_use = _by_chance(ask, call)
    if (in_use - 1311).abs().max() > 0.01:
        _wrong_by_chance(ask, call, "after eval() it drops out, too, or adds other things than its branches")
    added = (value - x).reshape(-1).tolist()
    right = {first + second + third for first in (0, 2) for second in (0, 20) for third in (0, 400, 800)}
    found = {round(number) for number in added}
    if max(abs(number - round(number)) for number in added) > 0.01:
        message = "in training its branches give other numbers than dropout makes of ones"
    elif {number // 100 for number in found} in ({0, 6}, {2, 4}, {3}):
        message = (
            "in training the third branch is not dropped twice: inside the feed-forward and on its result"
        )
    elif not found <= right:
        message = "in training dropout acts where it should not, on the weights of attention for instance"
    elif len(found) < len(right):
        message = "in training it does not drop what each branch gives by itself"
    else:
        return
    _wrong_by_chance(ask, call, message)


class DecoderLayerModule(Exercise):
    name = "DecoderLayer"
    solutions = solutions.decoder_layer
    builds_on = ("FeedForward",)
    forbidden = WHOLE

    @behaviour("has three branches and three norms, under their names", points=1)
    def parts(ask, draw):
        ask.build(draw, 4, 2, 6).same_parameters()

    @behaviour("adds three branches, one after the other, each of which reads what its norm gives", points=3)
    def pre_norm(ask, draw):
        ask.build(draw, 4, 2, 6, norm_first=True).same(*_texts(draw, 1, 1, 2, 4))
        ask.build(draw, 12, 3, 8).same(*_texts(draw, 2, 4, 5, 12))

    @behaviour("normalises each sum instead where `norm_first` is False", points=2)
    def post_norm(ask, draw):
        ask.build(draw, 4, 2, 6, norm_first=False).same(*_texts(draw, 1, 1, 2, 4))
        texts = _texts(draw, 2, 4, 5, 12, torch.float64)
        ask.build(draw, 12, 3, 8, 0.1, False, dtype=torch.float64).same(*texts)

    @behaviour("gives each attention its own mask", points=3)
    def masked(ask, draw):
        for_each_head, real = draw.mask(2, 2, 3, 3), draw.mask(2, 1, 1, 4)
        real[1] = False
        ask.build(draw, 4, 2, 6, norm_first=False).same(*_texts(draw, 2, 3, 4, 4), for_each_head, real)
        past, real = torch.ones(3, 3).tril().bool(), draw.mask(2, 1, 1, 3)
        ask.build(draw, 4, 2, 6).same_steps(
            Step("__call__", _texts(draw, 2, 3, 3, 4), {"self_mask": past}, training=False),
            Step("__call__", _texts(draw, 2, 3, 3, 4), {"memory_mask": real}),
        )

    @behaviour("passes gradients back to the target, the memory and all parameters", points=1)
    def gradient(ask, draw):
        past, real = _masks(draw, 2, 3, 4)
        real[1] = False
        built = ask.build(draw, 4, 2, 6)
        built.same_gradient(*_texts(draw, 2, 3, 4, 4), past, real, upstream=draw.scores(2, 3, 4))

    @behaviour("drops out of what a branch gives, before it is added, and only in training", points=1)
    def drops(ask, draw):
        texts = _texts(draw, 2, 3, 4, 4)
        _drops_half_of_each_branch(ask)
        ask.build(draw, 4, 2, 6).same(*texts, training=True)
        ask.build(draw, 4, 2, 6, dropout=1.0, norm_first=False).same(*texts, training=True)

    @behaviour("leaves its arguments as they were, on any device", points=1)
    def neighbourly(ask, draw):
        built = ask.build(draw, 4, 2, 6)
        texts, masks = _texts(draw, 2, 3, 4, 4), _masks(draw, 2, 3, 4)
        built.keeps_arguments(*texts, *masks)
        built.follows_device(*texts, masks[0])

    @mistake(
        "You normalise after every sum, whatever `norm_first` says. Where it is True, which it is unless "
        "somebody says otherwise, a branch reads `norm(x)`, and nothing else is normalised.",
        breaks=pre_norm,
    )
    class always_post(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, dropout, norm_first=False)

    @mistake(
        "You put the norm first, whatever `norm_first` says. Where it is False, the norm comes after the "
        "sum: `norm(x + branch(x))`.",
        breaks=post_norm,
    )
    class always_pre(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, dropout, norm_first=True)

    @mistake(
        "Your two orders are exchanged: `norm_first=True` is `x + branch(norm(x))`, False is `norm(x + "
        "branch(x))`.",
        breaks=pre_norm,
    )
    class orders_exchanged(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, dropout, not norm_first)

    @mistake(
        "There are no residuals: each branch replaces `x` instead of adding to it. After a few layers "
        "nothing is left of the first vectors, and no gradient finds its way back.",
        breaks=pre_norm,
    )
    class without_residuals(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            drop = self.dropout
            if self.norm_first:
                x = drop(look_back(self.self_norm(x)))
                x = drop(look_at_memory(self.cross_norm(x)))
                return drop(self.feed_forward(self.feed_norm(x)))
            x = self.self_norm(drop(look_back(x)))
            x = self.cross_norm(drop(look_at_memory(x)))
            return self.feed_norm(drop(self.feed_forward(x)))

    @mistake(
        "The self-attention has no residual: its result replaces `x`. Add it.",
        breaks=pre_norm,
    )
    class self_attention_replaces(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            how = self.dropout, self.norm_first
            if self.norm_first:
                x = self.dropout(look_back(self.self_norm(x)))
            else:
                x = self.self_norm(self.dropout(look_back(x)))
            x = add_branch(x, look_at_memory, self.cross_norm, *how)
            return add_branch(x, self.feed_forward, self.feed_norm, *how)

    @mistake(
        "The cross-attention has no residual: what the decoder has written so far is lost, and only what "
        "was found in the memory goes on. Add it to `x`.",
        breaks=pre_norm,
    )
    class cross_attention_replaces(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            how = self.dropout, self.norm_first
            x = add_branch(x, look_back, self.self_norm, *how)
            if self.norm_first:
                x = self.dropout(look_at_memory(self.cross_norm(x)))
            else:
                x = self.cross_norm(self.dropout(look_at_memory(x)))
            return add_branch(x, self.feed_forward, self.feed_norm, *how)

    @mistake(
        "The feed-forward branch has no residual: its result replaces `x`. Add it.",
        breaks=pre_norm,
    )
    class feed_forward_replaces(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            how = self.dropout, self.norm_first
            x = add_branch(x, look_back, self.self_norm, *how)
            x = add_branch(x, look_at_memory, self.cross_norm, *how)
            if self.norm_first:
                return self.dropout(self.feed_forward(self.feed_norm(x)))
            return self.feed_norm(self.dropout(self.feed_forward(x)))

    @mistake(
        "You add the branch to `norm(x)`, not to `x`: with the norm first, what goes past is not "
        "normalised. Keep `x` for the sum, and give `norm(x)` to the branch alone.",
        breaks=pre_norm,
    )
    class residual_from_the_norm(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            if not self.norm_first:
                return super().connect(x, look_back, look_at_memory)
            for branch, norm in (
                (look_back, self.self_norm),
                (look_at_memory, self.cross_norm),
                (self.feed_forward, self.feed_norm),
            ):
                x = norm(x)
                x = x + self.dropout(branch(x))
            return x

    @mistake(
        "You normalise twice, before a branch and after its sum: `norm_first` chooses one of the two.",
        breaks=pre_norm,
    )
    class normalises_twice(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            for branch, norm in (
                (look_back, self.self_norm),
                (look_at_memory, self.cross_norm),
                (self.feed_forward, self.feed_norm),
            ):
                x = norm(x + self.dropout(branch(norm(x))))
            return x

    @mistake(
        "With the norm after the sum you normalise what the branch gives, and add `x` as it is: it must be "
        "`norm(x + branch(x))`, the norm of the whole sum.",
        breaks=post_norm,
    )
    class normalises_the_branch_alone(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            if self.norm_first:
                return super().connect(x, look_back, look_at_memory)
            x = x + self.self_norm(self.dropout(look_back(x)))
            x = x + self.cross_norm(self.dropout(look_at_memory(x)))
            return x + self.feed_norm(self.dropout(self.feed_forward(x)))

    @mistake(
        "The three branches share one norm: each needs its own, `self_norm`, `cross_norm` and `feed_norm`.",
        breaks=parts,
    )
    class one_norm(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, dropout, norm_first)
            del self.self_norm, self.cross_norm, self.feed_norm
            self.norm = nn.LayerNorm(d_model)

        def connect(self, x, look_back, look_at_memory):
            for branch in (look_back, look_at_memory, self.feed_forward):
                x = add_branch(x, branch, self.norm, self.dropout, self.norm_first)
            return x

    @mistake(
        "You build three norms and use `self_norm` for all branches: the other two never learn.",
        breaks=pre_norm,
    )
    class one_norm_used(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            for branch in (look_back, look_at_memory, self.feed_forward):
                x = add_branch(x, branch, self.self_norm, self.dropout, self.norm_first)
            return x

    @mistake(
        "The feed-forward branch does without its norm. It is a branch like the other two: it reads "
        "`feed_norm(x)`, or its sum is normalised.",
        breaks=pre_norm,
    )
    class feed_forward_without_norm(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            how = self.dropout, self.norm_first
            x = add_branch(x, look_back, self.self_norm, *how)
            x = add_branch(x, look_at_memory, self.cross_norm, *how)
            return x + self.dropout(self.feed_forward(x))

    @mistake(
        "You normalise what leaves the layer, with the norm first as well: the stream between the layers "
        "must go past all norms. One norm at the end of the whole stack is enough.",
        breaks=pre_norm,
    )
    class norm_at_the_end(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            x = super().connect(x, look_back, look_at_memory)
            return self.feed_norm(x) if self.norm_first else x

    @mistake(
        "You normalise the memory with `cross_norm`. The norm is for what the branch reads from the stream; "
        "the memory is used as it comes, by every layer alike.",
        breaks=pre_norm,
    )
    class normalises_the_memory(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            memory = self.cross_norm(memory) if self.norm_first else memory
            return super().forward(x, memory, self_mask, memory_mask)

    @mistake(
        "The roles are exchanged: you call the cross-attention with the memory first, so the source asks "
        "the target. `x` asks, and the memory answers.",
        breaks=pre_norm,
    )
    class memory_asks(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            return self.connect(
                x,
                lambda x: self.self_attention(x, self_mask),
                lambda x: self.cross_attention(memory, x, memory_mask),
            )

    @mistake(
        "You never look at the memory: the cross-attention gets `x` twice, and a translation would not "
        "depend on its source.",
        breaks=pre_norm,
    )
    class looks_at_itself_twice(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            return self.connect(
                x,
                lambda x: self.self_attention(x, self_mask),
                lambda x: self.cross_attention(x, x, memory_mask),
            )

    @mistake(
        "The two attentions have changed places: first the decoder looks at its own text, then at the "
        "memory.",
        breaks=pre_norm,
    )
    class memory_first(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            how = self.dropout, self.norm_first
            x = add_branch(x, look_at_memory, self.cross_norm, *how)
            x = add_branch(x, look_back, self.self_norm, *how)
            return add_branch(x, self.feed_forward, self.feed_norm, *how)

    @mistake(
        "The feed-forward network comes before the memory is looked at: it is the last of the three "
        "branches.",
        breaks=pre_norm,
    )
    class feed_forward_second(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            how = self.dropout, self.norm_first
            x = add_branch(x, look_back, self.self_norm, *how)
            x = add_branch(x, self.feed_forward, self.feed_norm, *how)
            return add_branch(x, look_at_memory, self.cross_norm, *how)

    @mistake(
        "Your branches stand side by side: all three read the `x` that came in. Each reads what the one "
        "before it has left, so give the sum its name, `x`, at once.",
        breaks=pre_norm,
    )
    class side_by_side(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            branches = (
                (look_back, self.self_norm),
                (look_at_memory, self.cross_norm),
                (self.feed_forward, self.feed_norm),
            )
            if self.norm_first:
                return x + sum(self.dropout(branch(norm(x))) for branch, norm in branches)
            return sum(norm(x + self.dropout(branch(x))) for branch, norm in branches)

    @mistake(
        "Every branch is added to the `x` that came in, so what the branches before it gave is lost. Add it "
        "to what they have left.",
        breaks=pre_norm,
    )
    class adds_to_the_first(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            first = x
            for branch, norm in (
                (look_back, self.self_norm),
                (look_at_memory, self.cross_norm),
                (self.feed_forward, self.feed_norm),
            ):
                if self.norm_first:
                    x = first + self.dropout(branch(norm(x)))
                else:
                    x = norm(first + self.dropout(branch(x)))
            return x

    @mistake(
        "There is no feed-forward branch: it is built, and `forward` never calls it.",
        breaks=pre_norm,
    )
    class without_feed_forward(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            how = self.dropout, self.norm_first
            x = add_branch(x, look_back, self.self_norm, *how)
            return add_branch(x, look_at_memory, self.cross_norm, *how)

    @mistake(
        "You build your attentions with one head: hand `n_heads` on to both.",
        breaks=pre_norm,
    )
    class one_head(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, 1, d_ff, dropout, norm_first)

    @mistake(
        "`d_ff` is not handed on: your feed-forward network is as wide as `4 * d_model`, whatever is asked "
        "for.",
        breaks=parts,
    )
    class width_of_its_own(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, 4 * d_model, dropout, norm_first)

    @mistake(
        "There is a norm too many: at the end of a layer there is none. The one at the end of the stack "
        "belongs to the stack.",
        breaks=parts,
    )
    class a_fourth_norm(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, dropout, norm_first)
            self.norm = nn.LayerNorm(d_model)

        def connect(self, x, look_back, look_at_memory):
            return self.norm(super().connect(x, look_back, look_at_memory))

    @mistake(
        "You ignore `self_mask`, always or in evaluation: the decoder sees the words that it is to write. "
        "Hand it on to the self-attention.",
        breaks=masked,
    )
    class without_self_mask(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            return super().forward(x, memory, None, memory_mask)

    @mistake(
        "You ignore `memory_mask`: the padding of the source is looked at, and a translation depends on its "
        "neighbours. Hand it on to the cross-attention.",
        breaks=masked,
    )
    class without_memory_mask(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            return super().forward(x, memory, self_mask, None)

    @mistake(
        "You hand on neither of the masks: the decoder sees the words to come, and the padding of the "
        "source.",
        breaks=masked,
    )
    class without_masks(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            return super().forward(x, memory)

    @mistake(
        "The masks are exchanged: `self_mask` comes first and is for the self-attention, `memory_mask` "
        "for the cross-attention. Both come ready to be handed on.",
        breaks=masked,
    )
    class masks_exchanged(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            return super().forward(x, memory, memory_mask, self_mask)

    @mistake(
        "Both attentions get `self_mask`. It speaks of the target's words; what may be seen of the source, "
        "`memory_mask` says.",
        breaks=masked,
    )
    class self_mask_twice(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            return super().forward(x, memory, self_mask, self_mask)

    @mistake(
        "You join the causal mask and the memory's mask: there is no future in the source to hide. The "
        "cross-attention gets `memory_mask` alone.",
        breaks=masked,
    )
    class both_for_the_memory(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            joined = memory_mask
            if self_mask is not None and self_mask.shape[-1] == memory.shape[1]:
                joined = self_mask if memory_mask is None else self_mask & memory_mask
            return super().forward(x, memory, self_mask, joined)

    @mistake(
        "Your masks are inverted: PyTorch's decoder layer marks what is hidden, this course's attention "
        "what may be looked at. Hand them on as they are.",
        breaks=masked,
    )
    class inverted(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            self_mask = None if self_mask is None else ~self_mask
            memory_mask = None if memory_mask is None else ~memory_mask
            return super().forward(x, memory, self_mask, memory_mask)

    @mistake(
        "You make a causal mask of your own. The caller decides: without a mask everything may be seen, and "
        "with one, what it says.",
        breaks=pre_norm,
    )
    class causal_by_itself(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            past = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()
            self_mask = past if self_mask is None else self_mask & past
            return super().forward(x, memory, self_mask, memory_mask)

    @mistake(
        "Where no `self_mask` is given you put in a causal one: None means that everything may be seen. Hand "
        "it on as it is.",
        breaks=pre_norm,
    )
    class causal_by_default(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            if self_mask is None:
                self_mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()
            return super().forward(x, memory, self_mask, memory_mask)

    @mistake(
        "You join a causal mask to the one that is given: a mask that lets a token see what comes after it "
        "is not obeyed. Hand it on as it is.",
        breaks=masked,
    )
    class causal_besides(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            if self_mask is not None:
                past = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()
                self_mask = self_mask & past
            return super().forward(x, memory, self_mask, memory_mask)

    @mistake(
        "You make numbers of your masks: attention takes True and False for may and may not, but adds "
        "numbers to its scores, so a one is hardly a hint. Hand masks on as they are.",
        breaks=masked,
    )
    class masks_as_numbers(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            self_mask = None if self_mask is None else self_mask.to(x.dtype)
            memory_mask = None if memory_mask is None else memory_mask.to(x.dtype)
            return super().forward(x, memory, self_mask, memory_mask)

    @mistake(
        "You turn your masks into -1e9 to be added: a query that may look nowhere then looks everywhere, "
        "since all its scores are lowered alike. Hand masks on as they are.",
        breaks=masked,
    )
    class masks_of_minus_a_billion(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            self_mask = None if self_mask is None else -1e9 * (~self_mask).to(x.dtype)
            memory_mask = None if memory_mask is None else -1e9 * (~memory_mask).to(x.dtype)
            return super().forward(x, memory, self_mask, memory_mask)

    @mistake(
        "You keep the keys and values of the first memory, and use them for every later one: the second "
        "sentence is translated from the first. Make them anew in each call.",
        breaks=masked,
    )
    class keeps_the_first_memory(DecoderLayer):
        kept = None

        def forward(self, x, memory, self_mask=None, memory_mask=None):
            if self.kept is None:
                self.kept = self.cross_attention.project_memory(memory)
            return self.connect(
                x,
                lambda x: self.self_attention(x, self_mask),
                lambda x: self.cross_attention.attend(x, *self.kept, memory_mask),
            )

    @mistake(
        "Unless somebody says otherwise you put the norm after the sum, as PyTorch's layer does. Here the "
        "default is `norm_first=True`.",
        breaks=pre_norm,
    )
    class post_by_default(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
            super().__init__(d_model, n_heads, d_ff, dropout, norm_first)

    @mistake(
        "Your norms go over the whole sentence: what stands at a position then depends on the words after "
        "it, mask or no mask. Each vector is normalised by itself, `nn.LayerNorm(d_model)`.",
        breaks=pre_norm,
    )
    class norms_over_the_sentence(DecoderLayer):
        class Norm(nn.LayerNorm):
            def forward(self, x):
                variance, mean = torch.var_mean(x, dim=(1, 2), correction=0, keepdim=True)
                return (x - mean) / (variance + self.eps).sqrt() * self.weight + self.bias

        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, dropout, norm_first)
            for name in ("self_norm", "cross_norm", "feed_norm"):
                setattr(self, name, self.Norm(d_model))

    @mistake(
        "What the self-attention gives is lost: the branch after it reads the `x` that came in, and is added "
        "to that. Call each sum `x` again.",
        breaks=pre_norm,
    )
    class self_attention_lost(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            how = self.dropout, self.norm_first
            x = add_branch(x, look_at_memory, self.cross_norm, *how)
            return add_branch(x, self.feed_forward, self.feed_norm, *how)

    @mistake(
        "Two norms have changed places: `cross_norm` is the cross-attention's, `feed_norm` the feed-forward "
        "network's. Trained by you they work; with weights of others they do not.",
        breaks=pre_norm,
    )
    class norms_exchanged(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            how = self.dropout, self.norm_first
            x = add_branch(x, look_back, self.self_norm, *how)
            x = add_branch(x, look_at_memory, self.feed_norm, *how)
            return add_branch(x, self.feed_forward, self.cross_norm, *how)

    @mistake(
        "No gradient reaches the memory: you take it out of the graph, and the encoder learns nothing.",
        breaks=gradient,
    )
    class memory_detached(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            return super().forward(x, memory.detach(), self_mask, memory_mask)

    @mistake(
        "You take `dropout` and never use it on what the branches give: in training it is dropped before it "
        "is added.",
        breaks=drops,
    )
    class never_drops(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, dropout, norm_first)
            self.dropout = nn.Identity()

    @mistake(
        "Your dropout acts on the sum: what goes past is dropped too, and a residual that is dropped is "
        "none. Drop what the branch gives, before you add it.",
        breaks=drops,
    )
    class drops_the_sum(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            for branch, norm in (
                (look_back, self.self_norm),
                (look_at_memory, self.cross_norm),
                (self.feed_forward, self.feed_norm),
            ):
                if self.norm_first:
                    x = self.dropout(x + branch(norm(x)))
                else:
                    x = norm(self.dropout(x + branch(x)))
            return x

    @mistake(
        "Your dropout acts on what a branch reads: it acts on what it gives, before that is added.",
        breaks=drops,
    )
    class drops_what_is_read(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            for branch, norm in (
                (look_back, self.self_norm),
                (look_at_memory, self.cross_norm),
                (self.feed_forward, self.feed_norm),
            ):
                if self.norm_first:
                    x = x + branch(self.dropout(norm(x)))
                else:
                    x = norm(x + branch(self.dropout(x)))
            return x

    @mistake(
        "You drop out after `eval()`, too: `F.dropout` does not know the mode, nor does an `nn.Dropout` that "
        "is made in `forward`. Make it in `__init__`, or pass `training=self.training`.",
        breaks=drops,
    )
    class always_drops(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            rate = self.dropout.p
            how = (lambda given: F.dropout(given, rate)), self.norm_first
            x = add_branch(x, look_back, self.self_norm, *how)
            x = add_branch(x, look_at_memory, self.cross_norm, *how)
            return add_branch(x, self.feed_forward, self.feed_norm, *how)

    @mistake(
        "You drop what the two attentions give, and not what the feed-forward network gives: it is a branch "
        "like the others.",
        breaks=drops,
    )
    class two_branches_dropped(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            how = self.dropout, self.norm_first
            x = add_branch(x, look_back, self.self_norm, *how)
            x = add_branch(x, look_at_memory, self.cross_norm, *how)
            return add_branch(x, self.feed_forward, self.feed_norm, nn.Identity(), self.norm_first)

    @mistake(
        "What the self-attention gives is not dropped: it is a branch like the other two.",
        breaks=drops,
    )
    class self_attention_not_dropped(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            how = self.dropout, self.norm_first
            x = add_branch(x, look_back, self.self_norm, nn.Identity(), self.norm_first)
            x = add_branch(x, look_at_memory, self.cross_norm, *how)
            return add_branch(x, self.feed_forward, self.feed_norm, *how)

    @mistake(
        "What the cross-attention gives is not dropped: it is a branch like the other two.",
        breaks=drops,
    )
    class cross_attention_not_dropped(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            how = self.dropout, self.norm_first
            x = add_branch(x, look_back, self.self_norm, *how)
            x = add_branch(x, look_at_memory, self.cross_norm, nn.Identity(), self.norm_first)
            return add_branch(x, self.feed_forward, self.feed_norm, *how)

    @mistake(
        "You drop what the feed-forward network gives, and not what the two attentions give: all three are "
        "branches.",
        breaks=drops,
    )
    class attentions_not_dropped(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            x = add_branch(x, look_back, self.self_norm, nn.Identity(), self.norm_first)
            x = add_branch(x, look_at_memory, self.cross_norm, nn.Identity(), self.norm_first)
            return add_branch(x, self.feed_forward, self.feed_norm, self.dropout, self.norm_first)

    @mistake(
        "You do not hand `dropout` on to the feed-forward network: between its two layers hidden numbers are "
        "dropped, too. Write `FeedForward(d_model, d_ff, dropout)`.",
        breaks=drops,
    )
    class nothing_inside_is_dropped(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, dropout, norm_first)
            self.feed_forward = FeedForward(d_model, d_ff)

    @mistake(
        "You hand `dropout` on to the attentions, which drop weights with it, as PyTorch's layer does. Here "
        "only what a branch gives is dropped: leave it out there.",
        breaks=drops,
    )
    class drops_weights_too(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, dropout, norm_first)
            self.self_attention.dropout = self.cross_attention.dropout = dropout

    @mistake(
        "Your attentions drop their weights, your feed-forward network its hidden numbers, and what the "
        "branches give is not dropped. Drop that, before it is added, and leave the weights alone.",
        breaks=drops,
    )
    class drops_weights_instead(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, dropout, norm_first)
            self.self_attention.dropout = self.cross_attention.dropout = dropout
            self.dropout = nn.Identity()

    @mistake(
        "What the feed-forward network gives is dropped twice, once before it leaves the branch and once "
        "before it is added. Inside, only its hidden numbers are.",
        breaks=drops,
    )
    class drops_the_last_result_twice(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            how = self.dropout, self.norm_first
            x = add_branch(x, look_back, self.self_norm, *how)
            x = add_branch(x, look_at_memory, self.cross_norm, *how)
            return add_branch(x, lambda x: self.dropout(self.feed_forward(x)), self.feed_norm, *how)

    @mistake(
        "You drop numbers of the memory, too, in every layer anew. It is used as it comes; drop what the "
        "branches give.",
        breaks=drops,
    )
    class drops_the_memory_too(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            return super().forward(x, self.dropout(memory), self_mask, memory_mask)

    @mistake(
        "You drop what each branch reads as well as what it gives: only what it gives is dropped, before it "
        "is added.",
        breaks=drops,
    )
    class drops_what_is_read_too(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            for branch, norm in (
                (look_back, self.self_norm),
                (look_at_memory, self.cross_norm),
                (self.feed_forward, self.feed_norm),
            ):
                if self.norm_first:
                    x = x + self.dropout(branch(self.dropout(norm(x))))
                else:
                    x = norm(x + self.dropout(branch(self.dropout(x))))
            return x

    @mistake(
        "You drop `x` as it comes in: what goes past the branches must stay whole, or little is left of it "
        "after a few layers. (Once, below the first layer, embeddings are dropped.)",
        breaks=drops,
    )
    class drops_what_comes_in(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            return super().connect(self.dropout(x), look_back, look_at_memory)

    @mistake(
        "With the norm after the sum, your dropout comes after the norm, and drops the stream. Drop what the "
        "branch gives: `norm(x + dropout(branch(x)))`.",
        breaks=drops,
    )
    class drops_after_the_norm(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            if self.norm_first:
                return super().connect(x, look_back, look_at_memory)
            x = self.dropout(self.self_norm(x + look_back(x)))
            x = self.dropout(self.cross_norm(x + look_at_memory(x)))
            return self.dropout(self.feed_norm(x + self.feed_forward(x)))

    @mistake(
        "You drop what leaves the layer: the stream itself must stay whole. What the branches give has been "
        "dropped already.",
        breaks=drops,
    )
    class drops_what_leaves(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            return self.dropout(super().connect(x, look_back, look_at_memory))

    @mistake(
        "Where nobody says otherwise you drop a tenth, as PyTorch's layer does: the default of `dropout` is "
        "0.0.",
        breaks=drops,
    )
    class drops_by_default(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.1, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, dropout, norm_first)

    @mistake(
        "You drop the same share, whatever `dropout` says: hand it on, `nn.Dropout(dropout)`.",
        breaks=drops,
    )
    class always_drops_a_tenth(DecoderLayer):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, 0.1, norm_first)

    @mistake(
        "You add in place, `x += ...`, and change the states of whoever called. Write `x = x + ...`.",
        breaks=neighbourly,
    )
    class in_place(DecoderLayer):
        def connect(self, x, look_back, look_at_memory):
            for branch, norm in (
                (look_back, self.self_norm),
                (look_at_memory, self.cross_norm),
                (self.feed_forward, self.feed_norm),
            ):
                if self.norm_first:
                    x += self.dropout(branch(norm(x)))
                else:
                    x += self.dropout(branch(x))
                    x = norm(x)
            return x

    @mistake(
        "You make a mask on the CPU where none is given: with `x` on a GPU that is another device. Hand "
        "None on, the attention knows what to do.",
        breaks=neighbourly,
    )
    class mask_on_the_cpu(DecoderLayer):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            everything = torch.ones(x.shape[1], memory.shape[1], dtype=torch.bool)
            memory_mask = everything if memory_mask is None else memory_mask & everything
            return super().forward(x, memory, self_mask, memory_mask)
