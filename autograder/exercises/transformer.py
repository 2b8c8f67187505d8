"""What the whole model of chapter 07 and its training must do, and how they go wrong."""

import math

import torch
from torch import nn
from torch.nn import functional as F

import solutions.transformer
from autograder.exercises.namespace import Step
from autograder.exercises.specification import Exercise, behaviour, mistake
from solutions.decoder_layer import DecoderLayer
from solutions.embeddings import DecoderInput, shift_right
from solutions.masks import causal_mask, decoder_mask, memory_mask, padding_mask
from solutions.transformer import Decoder, Encoder, EncoderLayer, Transformer

DOUBLE = torch.float64
SOURCE = torch.tensor([[5, 6, 7, 0], [4, 9, 0, 0]])  # what the masks of the stacks are made of
TARGET = torch.tensor([[1, 8, 3], [1, 7, 0]])


class EncoderStack(Exercise):
    name = "Encoder"
    solutions = solutions.transformer

    @behaviour("has a list of layers, and a norm at its end where norms come first", points=1)
    def parameters(ask, draw):
        ask.build(draw, 3, 2, 1, 3).same_parameters()

    @behaviour("sends its input through all layers in turn, and through the norm", points=2)
    def stack(ask, draw):
        ask.build(draw, 2, 6, 3, 4).same(draw.scores(1, 3, 6), training=True)

    @behaviour("has no norm at its end where norms come after", points=1)
    def post_norm(ask, draw):
        ask.build(draw, 1, 4, 2, 6, norm_first=False).same(draw.scores(1, 3, 4))

    @behaviour("hands the mask to every layer, and leaves its input as it is", points=2)
    def masked(ask, draw):
        ask.build(draw, 2, 4, 2, 6).keeps_arguments(draw.scores(2, 4, 4), mask=padding_mask(SOURCE, 0))

    @behaviour("hands the dropout to its layers, and drops nothing else", points=1)
    def dropout(ask, draw):
        x = draw.scores(1, 3, 4)
        built = ask.build(draw, 2, 4, 2, 6, 0.5, norm_first=True)
        built.same_steps(Step(arguments=(x,), training=True), Step(arguments=(x,), training=False))

    @behaviour("passes gradients to its input and to all layers, in any type", points=1)
    def gradient(ask, draw):
        x, upstream = draw.scores(2, 4, 4, dtype=DOUBLE), draw.scores(2, 4, 4, dtype=DOUBLE)
        built = ask.build(draw, 2, 4, 2, 6, dtype=DOUBLE)
        built.same_gradient(x, padding_mask(SOURCE, 0), upstream=upstream)

    @mistake(
        "There is one layer, or the same one again and again, as in a list times n_layers: there is one "
        "set of weights. Make a new layer for each place.",
        breaks=parameters,
    )
    class OneLayerRepeated(Encoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            self.layers = nn.ModuleList([self.layers[0]] * n_layers)

    @mistake(
        "PyTorch does not find your layers when the stack has been made: they stand in a plain list, or are "
        "made later. They are neither trained nor saved. Put them into an `nn.ModuleList` in `__init__`.",
        breaks=parameters,
    )
    class PlainList(Encoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            layers = list(self.layers)
            del self.layers
            self.layers = layers

    @mistake(
        "There are two layers, whatever is asked: `n_layers` says how many. Make them in a loop.",
        breaks=parameters,
    )
    class AlwaysTwo(Encoder):
        def __init__(self, n_layers, *others, **options):
            super().__init__(2, *others, **options)

    @mistake(
        "There is no norm of its own at the end, with a weight and a bias: where each layer normalises "
        "what it reads, nothing has normalised the last sum. Add an `nn.LayerNorm` called `norm` where "
        "`norm_first` is True.",
        breaks=parameters,
    )
    class NoNorm(Encoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            self.norm = nn.Identity()

    @mistake(
        "Norms come after the sum where nobody asks for it: by default `norm_first` is True.",
        breaks=parameters,
    )
    class AfterByDefault(Encoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)

    @mistake(
        "There is a norm at the end of every stack: with post-norm the last layer has ended in one, and a "
        "second only adds parameters. Leave it out where `norm_first` is False.",
        breaks=post_norm,
    )
    class AlwaysNorm(Encoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            self.norm = nn.LayerNorm(d_model)

    @mistake(
        "The norm at the end is there for post-norm and missing for pre-norm: it is the other way round.",
        breaks=parameters,
    )
    class NormTurnedRound(Encoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            self.norm = nn.Identity() if norm_first else nn.LayerNorm(d_model)

    @mistake(
        "Your layers are a decoder's, with a cross-attention: an encoder has no memory to look at. Use "
        "`EncoderLayer`.",
        breaks=parameters,
    )
    class DecoderLayers(Encoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            size = d_model, n_heads, d_ff, dropout, norm_first
            self.layers = nn.ModuleList(DecoderLayer(*size) for _ in range(n_layers))

    @mistake(
        "The norm is made and never used: send the last layer's output through it.",
        breaks=stack,
    )
    class NormNotUsed(Encoder):
        def forward(self, x, mask=None):
            for layer in self.layers:
                x = layer(x, mask)
            return x

    @mistake(
        "Only the last layer counts: every layer reads the stack's input, or the first are left out. Each "
        "must read what the one before it has written.",
        breaks=stack,
    )
    class AllReadTheInput(Encoder):
        def forward(self, x, mask=None):
            for layer in self.layers:
                y = layer(x, mask)
            return self.norm(y)

    @mistake(
        "The norm acts after every layer: it belongs once at the end, since each layer normalises what it "
        "reads by itself.",
        breaks=stack,
    )
    class NormAfterEach(Encoder):
        def forward(self, x, mask=None):
            for layer in self.layers:
                x = self.norm(layer(x, mask))
            return x

    @mistake(
        "The norm acts on the stack's input: it belongs at the end, after the last layer.",
        breaks=stack,
    )
    class NormAtTheBeginning(Encoder):
        def forward(self, x, mask=None):
            x = self.norm(x)
            for layer in self.layers:
                x = layer(x, mask)
            return x

    @mistake(
        "You add the stack's input to its output: residual connections are inside the layers, and there "
        "is none around the stack.",
        breaks=stack,
    )
    class InputAddedAgain(Encoder):
        def forward(self, x, mask=None):
            y = x
            for layer in self.layers:
                y = layer(y, mask)
            return self.norm(x + y)

    @mistake(
        "The layers run from the last to the first: the order is that of the list.",
        breaks=stack,
    )
    class Backwards(Encoder):
        def forward(self, x, mask=None):
            for layer in reversed(self.layers):
                x = layer(x, mask)
            return self.norm(x)

    @mistake(
        "Where no mask is given you make a causal one: the whole source is there from the beginning, and "
        "without a mask everything may be looked at.",
        breaks=stack,
    )
    class CausalWhereNoneIsGiven(Encoder):
        def forward(self, x, mask=None):
            return super().forward(x, causal_mask(x.shape[1]) if mask is None else mask)

    @mistake(
        "You drop out a tenth where nobody asks for it: by default `dropout` is 0.0.",
        breaks=stack,
    )
    class DropsByDefault(Encoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.1, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)

    @mistake(
        "`norm_first` does not reach the layers: they put their norms first whatever is asked. Hand it over.",
        breaks=post_norm,
    )
    class LayersAlwaysPreNorm(Encoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, True)
            self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()

    @mistake(
        "No layer gets the mask: padding is looked at like any token.",
        breaks=masked,
    )
    class NoMask(Encoder):
        def forward(self, x, mask=None):
            for layer in self.layers:
                x = layer(x)
            return self.norm(x)

    @mistake(
        "Only the first layer gets the mask: padding that it hid is looked at by the second. Hand the "
        "mask to every layer.",
        breaks=masked,
    )
    class MaskOnceOnly(Encoder):
        def forward(self, x, mask=None):
            for layer in self.layers:
                x, mask = layer(x, mask), None
            return self.norm(x)

    @mistake(
        "Your mask is inverted on its way to the layers: True means may look, here as in chapter 3.",
        breaks=masked,
    )
    class MaskInverted(Encoder):
        def forward(self, x, mask=None):
            for layer in self.layers:
                x = layer(x, None if mask is None else ~mask)
            return self.norm(x)

    @mistake(
        "You turn the mask into numbers: zeros and ones are added to the scores, and hide nothing. Hand it "
        "on as it is, True and False.",
        breaks=masked,
    )
    class MaskOfNumbers(Encoder):
        def forward(self, x, mask=None):
            return super().forward(x, None if mask is None else mask.to(x.dtype))

    @mistake(
        "No layer drops anything while it learns: hand `dropout` over when you make them, and leave "
        "`train()` and `eval()` to the caller.",
        breaks=dropout,
    )
    class NoDropout(Encoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, 0.0, norm_first)

    @mistake(
        "You drop the stack's input, too: what is embedded has had its dropout, and the stack adds none "
        "of its own.",
        breaks=dropout,
    )
    class InputDropped(Encoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            self.dropout = nn.Dropout(dropout)

        def forward(self, x, mask=None):
            x = self.dropout(x)
            for layer in self.layers:
                x = layer(x, mask)
            return self.norm(x)

    @mistake(
        "You drop the stack's output, too: each layer has dropped what its branches give, and nothing is "
        "dropped behind the last.",
        breaks=dropout,
    )
    class OutputDropped(Encoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            self.dropout = nn.Dropout(dropout)

        def forward(self, x, mask=None):
            return self.dropout(super().forward(x, mask))

    @mistake(
        "The gradient ends between two layers: `.detach()` or `.data` cuts the graph, and all before the "
        "last layer learns nothing.",
        breaks=gradient,
    )
    class Cut(Encoder):
        def forward(self, x, mask=None):
            for layer in self.layers:
                x = layer(x.detach(), mask)
            return self.norm(x)


class DecoderStack(Exercise):
    name = "Decoder"
    solutions = solutions.transformer

    @behaviour("has a list of layers, and a norm at its end where norms come first", points=1)
    def parameters(ask, draw):
        ask.build(draw, 3, 2, 1, 3).same_parameters()

    @behaviour("sends the target through all layers, and each looks at the same memory", points=2)
    def stack(ask, draw):
        ask.build(draw, 2, 4, 2, 6).same(draw.scores(1, 3, 4), draw.scores(1, 3, 4), training=True)

    @behaviour("has no norm at its end where norms come after", points=1)
    def post_norm(ask, draw):
        ask.build(draw, 1, 4, 2, 6, norm_first=False).same(draw.scores(1, 2, 4), draw.scores(1, 3, 4))

    @behaviour("hands each of the two masks to its attention, in every layer", points=2)
    def masked(ask, draw):
        x, memory, mask = draw.scores(2, 3, 4), draw.scores(2, 3, 4), memory_mask(SOURCE[:, :3], 0)
        built = ask.build(draw, 2, 4, 2, 6)
        built.keeps_arguments(x, memory, draw.mask(2, 1, 3, 3), mask)

    @behaviour("hands the dropout to its layers, and drops nothing else", points=1)
    def dropout(ask, draw):
        x, memory, other = draw.scores(1, 2, 4), draw.scores(1, 3, 4), draw.scores(1, 3, 4)
        built = ask.build(draw, 2, 4, 2, 6, 0.5, norm_first=True)
        built.same_steps(
            Step(arguments=(x, memory), training=True), Step(arguments=(x, other), training=False)
        )

    @behaviour("passes gradients to the target, to the memory and to all layers, in any type", points=1)
    def gradient(ask, draw):
        x, memory = draw.scores(2, 3, 4, dtype=DOUBLE), draw.scores(2, 4, 4, dtype=DOUBLE)
        built = ask.build(draw, 2, 4, 2, 6, dtype=DOUBLE)
        masks = {"self_mask": decoder_mask(TARGET, 0), "memory_mask": memory_mask(SOURCE, 0)}
        built.same_gradient(x, memory, **masks, upstream=draw.scores(2, 3, 4, dtype=DOUBLE))

    @mistake(
        "There is one layer, or one that is repeated, as in a list times n_layers: all places share its "
        "weights. Make a new layer for each place.",
        breaks=parameters,
    )
    class OneLayerRepeated(Decoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            self.layers = nn.ModuleList([self.layers[0]] * n_layers)

    @mistake(
        "PyTorch does not find your layers when the stack has been made, so they are neither trained nor "
        "saved: they are in a plain list, or are made later. Put them into an `nn.ModuleList` in `__init__`.",
        breaks=parameters,
    )
    class PlainList(Decoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            layers = list(self.layers)
            del self.layers
            self.layers = layers

    @mistake(
        "There are two layers, whatever is asked: `n_layers` says how many. Make them in a loop.",
        breaks=parameters,
    )
    class AlwaysTwo(Decoder):
        def __init__(self, n_layers, *others, **options):
            super().__init__(2, *others, **options)

    @mistake(
        "There is no norm of its own at the end: where norms come first, nothing has normalised the last "
        "sum, which is what the output head reads. Add an `nn.LayerNorm` called `norm`.",
        breaks=parameters,
    )
    class NoNorm(Decoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            self.norm = nn.Identity()

    @mistake(
        "Norms come after the sum where nobody asks for it: by default `norm_first` is True.",
        breaks=parameters,
    )
    class AfterByDefault(Decoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=False):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)

    @mistake(
        "There is a norm at the end with post-norm, too: there the last layer has ended in one. Leave it "
        "out where `norm_first` is False.",
        breaks=post_norm,
    )
    class AlwaysNorm(Decoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            self.norm = nn.LayerNorm(d_model)

    @mistake(
        "Your layers are an encoder's: without a cross-attention the target never sees the source. Use "
        "`DecoderLayer`.",
        breaks=parameters,
    )
    class EncoderLayers(Decoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            size = d_model, n_heads, d_ff, dropout, norm_first
            self.layers = nn.ModuleList(EncoderLayer(*size) for _ in range(n_layers))

        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers:
                x = layer(x, self_mask)
            return self.norm(x)

    @mistake(
        "Each layer looks at the target where it should look at the memory: the second argument of a "
        "layer is the memory, the same for all layers.",
        breaks=stack,
    )
    class LooksAtItself(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers:
                x = layer(x, x, self_mask, memory_mask)
            return self.norm(x)

    @mistake(
        "What a layer has written becomes the memory of the next: the memory is the encoder's, and all "
        "layers read the same.",
        breaks=stack,
    )
    class MemoryReplaced(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers:
                x = memory = layer(x, memory, self_mask, memory_mask)
            return self.norm(x)

    @mistake(
        "Target and memory are exchanged: what is asked goes first, `layer(x, memory, ...)`, and the "
        "output has the target's length.",
        breaks=stack,
    )
    class Exchanged(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers:
                memory = layer(memory, x, self_mask, memory_mask)
            return self.norm(memory)

    @mistake(
        "Only the last layer counts: every layer reads the stack's input, or the first are left out. Each "
        "must go on from what the one before it has written.",
        breaks=stack,
    )
    class AllReadTheInput(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers:
                y = layer(x, memory, self_mask, memory_mask)
            return self.norm(y)

    @mistake(
        "The norm is made and never used: send the last layer's output through it.",
        breaks=stack,
    )
    class NormNotUsed(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers:
                x = layer(x, memory, self_mask, memory_mask)
            return x

    @mistake(
        "The norm acts after every layer: it belongs once at the end.",
        breaks=stack,
    )
    class NormAfterEach(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers:
                x = self.norm(layer(x, memory, self_mask, memory_mask))
            return x

    @mistake(
        "You normalise the memory with the decoder's norm: the memory is given as it is, and the norm is "
        "for the decoder's own last sum.",
        breaks=stack,
    )
    class MemoryNormalised(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            memory = self.norm(memory)
            for layer in self.layers:
                x = layer(x, memory, self_mask, memory_mask)
            return self.norm(x)

    @mistake(
        "You drop out a tenth where nobody asks for it: by default `dropout` is 0.0.",
        breaks=stack,
    )
    class DropsByDefault(Decoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.1, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)

    @mistake(
        "`norm_first` does not reach the layers: they put their norms first whatever is asked. Hand it over.",
        breaks=post_norm,
    )
    class LayersAlwaysPreNorm(Decoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, True)
            self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()

    @mistake(
        "The two masks are exchanged: the first is for the target's look at itself, the second for its "
        "look at the memory.",
        breaks=masked,
    )
    class MasksExchanged(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers:
                x = layer(x, memory, memory_mask, self_mask)
            return self.norm(x)

    @mistake(
        "The memory's mask is not handed on: each target looks at the padding of its source, and a "
        "translation depends on its neighbours in the batch.",
        breaks=masked,
    )
    class NoMemoryMask(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers:
                x = layer(x, memory, self_mask)
            return self.norm(x)

    @mistake(
        "The target's mask is not handed on, always or in evaluation: each word sees the words after it.",
        breaks=masked,
    )
    class NoSelfMask(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers:
                x = layer(x, memory, None, memory_mask)
            return self.norm(x)

    @mistake(
        "Only the first layer gets the masks: what it hid is seen by the second. Hand both to every layer.",
        breaks=masked,
    )
    class MasksOnceOnly(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers:
                x = layer(x, memory, self_mask, memory_mask)
                self_mask = memory_mask = None
            return self.norm(x)

    @mistake(
        "You make a causal mask of your own: whoever calls says what is hidden, and where no mask is given "
        "nothing is.",
        breaks=stack,
    )
    class CausalWhereNoneIsGiven(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            if self_mask is None:
                self_mask = causal_mask(x.shape[1])
            return super().forward(x, memory, self_mask, memory_mask)

    @mistake(
        "You lay a causal mask over the one you are given: it says all that is hidden. A target whose "
        "beginning may be looked at throughout, as in a prefix mask, would be hidden from itself.",
        breaks=masked,
    )
    class CausalOnTop(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            if self_mask is not None:
                self_mask = self_mask & causal_mask(x.shape[1])
            return super().forward(x, memory, self_mask, memory_mask)

    @mistake(
        "You set hidden places of the memory to zero: they are looked at all the same, and take weight "
        "from the others. Hand `memory_mask` on instead.",
        breaks=masked,
    )
    class MemoryZeroed(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            if memory_mask is not None:
                memory = memory * memory_mask.reshape(len(memory), -1, 1)
            return super().forward(x, memory, self_mask)

    @mistake(
        "Your masks are inverted on their way to the layers: True means may look, here as in chapter 3.",
        breaks=masked,
    )
    class MasksInverted(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            masks = [None if mask is None else ~mask for mask in (self_mask, memory_mask)]
            return super().forward(x, memory, *masks)

    @mistake(
        "No layer drops anything while it learns: hand `dropout` over when you make them, and leave "
        "`train()` and `eval()` to the caller.",
        breaks=dropout,
    )
    class NoDropout(Decoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, 0.0, norm_first)

    @mistake(
        "You drop from the memory, too: it has had its dropout where it was made, and every layer drops "
        "from what it takes from there.",
        breaks=dropout,
    )
    class MemoryDropped(Decoder):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            self.dropout = nn.Dropout(dropout)

        def forward(self, x, memory, self_mask=None, memory_mask=None):
            return super().forward(x, self.dropout(memory), self_mask, memory_mask)

    @mistake(
        "The memory of one call is kept for the next: another source has another memory. Use the one that "
        "is given.",
        breaks=dropout,
    )
    class MemoryKept(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            self.memory = getattr(self, "memory", memory)
            return super().forward(x, self.memory, self_mask, memory_mask)

    @mistake(
        "The gradient ends at the memory: the encoder before it learns nothing. Hand the memory over "
        "without `.detach()`.",
        breaks=gradient,
    )
    class MemoryCut(Decoder):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers:
                x = layer(x, memory.detach(), self_mask, memory_mask)
            return self.norm(x)


SIZE = {"vocab_size": 11, "d_model": 4, "n_heads": 2, "d_ff": 6, "n_layers": 1, "max_length": 8}
PADDED = torch.tensor([[5, 6, 7, 8], [4, 9, 0, 0]])
WRITTEN = torch.tensor([[1, 8, 3], [1, 10, 0]])


class WholeModel(Exercise):
    name = "Transformer"
    solutions = solutions.transformer
    builds_on = ("Encoder", "Decoder")

    @behaviour("has one table, an encoder and a decoder, and no other parameter", points=2)
    def parameters(ask, draw):
        ask.build(draw, 5, 2, 1, 3, 2, 4).same_parameters()

    @behaviour("gives logits of the token after each of the input", points=3)
    def logits(ask, draw):
        ask.build(draw, **SIZE).same_steps(
            Step(arguments=(torch.tensor([[2, 3]]), torch.tensor([[1]])), training=True),
            Step(arguments=(PADDED[:1], torch.tensor([[1, 8, 3, 9, 5]])), training=True),
        )

    @behaviour("hides the padding of both texts, and the future of the target", points=3)
    def masks(ask, draw):
        ask.build(draw, **SIZE, pad_id=7).keeps_arguments(
            torch.tensor([[0, 5, 7, 7], [7, 9, 6, 4]]), torch.tensor([[7, 0, 3], [1, 10, 7]])
        )

    @behaviour("has its parts as methods: encode, decode and head", points=2)
    def parts(ask, draw):
        ask.build(draw, **SIZE).same_steps(
            Step("encode", (SOURCE,), training=False),
            Step("decode", (WRITTEN, draw.scores(2, 4, 4), PADDED), training=False),
            Step("head", (draw.scores(3, 4),), training=False),
        )

    @behaviour("passes max_length, norm_first and the dropout on to its parts", points=1)
    def options(ask, draw):
        ask.build(draw, **SIZE, dropout=0.5, norm_first=False).same_steps(
            Step("encode", (PADDED[:1],), training=True),
            Step("decode", (WRITTEN[:1], draw.scores(1, 4, 4), PADDED[:1]), training=True),
            Step("head", (draw.scores(3, 4),), training=True),
            Step("encode", (PADDED[:1],), training=False),
        )
        ask.build(draw, 3, 2, 1, 1, 1, 2).refuses("ValueError", torch.tensor([[1, 2, 1]]), method="encode")

    @behaviour("passes gradients to every parameter, to the table from both ends, in any type", points=1)
    def gradient(ask, draw):
        built = ask.build(draw, **SIZE, dtype=DOUBLE)
        built.same_gradient(PADDED, WRITTEN, upstream=draw.scores(2, 3, 11, dtype=DOUBLE))

    @mistake(
        "The output head has a table of its own: here it shares the one that embeds, `F.linear(states, "
        "self.embed.embedding.weight)`, and has no parameter.",
        breaks=parameters,
    )
    class Untied(Transformer):
        def __init__(self, vocab_size, d_model, *others, **options):
            super().__init__(vocab_size, d_model, *others, **options)
            self.output = nn.Linear(d_model, vocab_size, bias=False)

        def head(self, states):
            return self.output(states)

    @mistake(
        "Your head has a bias for each token: here the head is the table alone.",
        breaks=parameters,
    )
    class HeadWithBias(Transformer):
        def __init__(self, vocab_size, *others, **options):
            super().__init__(vocab_size, *others, **options)
            self.bias = nn.Parameter(torch.zeros(vocab_size))

        def head(self, states):
            return F.linear(states, self.embed.embedding.weight, self.bias)

    @mistake(
        "Source and target have tables of their own: here both are written in the same tokens, and one "
        "table, `embed`, embeds both.",
        breaks=parameters,
    )
    class TwoTables(Transformer):
        def __init__(self, vocab_size, d_model, n_heads, d_ff, n_layers, max_length, *others, **options):
            super().__init__(vocab_size, d_model, n_heads, d_ff, n_layers, max_length, *others, **options)
            self.source_embed = DecoderInput(vocab_size, d_model, max_length)

        def encode(self, source_ids):
            return self.encoder(self.source_embed(source_ids), padding_mask(source_ids, self.pad_id))

    @mistake(
        "`embed` is a bare `nn.Embedding`: scale and positions are missing. Use the `DecoderInput` of "
        "chapter 2.",
        breaks=parameters,
    )
    class BareEmbedding(Transformer):
        def __init__(self, vocab_size, d_model, *others, **options):
            super().__init__(vocab_size, d_model, *others, **options)
            self.embed = nn.Embedding(vocab_size, d_model)

        def head(self, states):
            return F.linear(states, self.embed.weight)

    @mistake(
        "Encoder or decoder has one layer whatever is asked: `n_layers` is the number of each.",
        breaks=parameters,
    )
    class ShallowDecoder(Transformer):
        def __init__(self, vocab_size, d_model, n_heads, d_ff, n_layers, max_length, **options):
            super().__init__(vocab_size, d_model, n_heads, d_ff, n_layers, max_length, **options)
            self.decoder = Decoder(1, d_model, n_heads, d_ff, norm_first=options.get("norm_first", True))

    @mistake(
        "Your head gives probabilities: it should give logits. The loss makes the softmax itself, and a "
        "softmax of a softmax hardly learns.",
        breaks=logits,
    )
    class Probabilities(Transformer):
        def head(self, states):
            return F.linear(states, self.embed.embedding.weight).softmax(dim=-1)

    @mistake(
        "Your head gives the logarithms of probabilities: it should give logits, as they are.",
        breaks=logits,
    )
    class LogProbabilities(Transformer):
        def head(self, states):
            return F.linear(states, self.embed.embedding.weight).log_softmax(dim=-1)

    @mistake(
        "You multiply by the root of d_model at the head, too: that scale belongs to the input alone.",
        breaks=logits,
    )
    class ScaledHead(Transformer):
        def head(self, states):
            table = self.embed.embedding.weight
            return F.linear(states, table * table.shape[1] ** 0.5)

    @mistake(
        "You divide the logits by the root of d_model: that is attention's scale. Here they are the plain "
        "products of states and table.",
        breaks=logits,
    )
    class ScaledDown(Transformer):
        def head(self, states):
            return F.linear(states, self.embed.embedding.weight) / states.shape[-1] ** 0.5

    @mistake(
        "You drop out a tenth where nobody asks for it: by default `dropout` is 0.0.",
        breaks=logits,
    )
    class DropsByDefault(Transformer):
        def __init__(self, *sizes, dropout=0.1, **options):
            super().__init__(*sizes, dropout=dropout, **options)

    @mistake(
        "Source and target are exchanged: the encoder reads `source_ids`, the decoder `input_ids`.",
        breaks=logits,
    )
    class TextsExchanged(Transformer):
        def forward(self, source_ids, input_ids):
            return super().forward(input_ids, source_ids)

    @mistake(
        "The source is looked up in the table alone, without scale and positions: send it through "
        "`self.embed`, as the target.",
        breaks=logits,
    )
    class SourceBare(Transformer):
        def encode(self, source_ids):
            mask = padding_mask(source_ids, self.pad_id)
            return self.encoder(self.embed.embedding(source_ids), mask)

    @mistake(
        "You shift the input once more: it is the shifted target already when it arrives.",
        breaks=logits,
    )
    class ShiftedTwice(Transformer):
        def forward(self, source_ids, input_ids):
            input_ids = shift_right(input_ids, 1)
            return self.head(self.decode(input_ids, self.encode(source_ids), source_ids))

    @mistake(
        "There is no encoder at work: the memory is the embedded source as it is. Send it through "
        "`self.encoder`.",
        breaks=logits,
    )
    class NothingEncoded(Transformer):
        def encode(self, source_ids):
            return self.embed(source_ids)

    @mistake(
        "You give logits of the last position alone: training needs those of every position.",
        breaks=logits,
    )
    class LastOnly(Transformer):
        def forward(self, source_ids, input_ids):
            states = self.decode(input_ids, self.encode(source_ids), source_ids)
            return self.head(states[:, -1:])

    @mistake(
        "You return the decoder's states: the head still has to name tokens.",
        breaks=logits,
    )
    class NoHead(Transformer):
        def forward(self, source_ids, input_ids):
            return self.decode(input_ids, self.encode(source_ids), source_ids)

    @mistake(
        "The target sees its future: without a causal mask, training is copying. Give the decoder "
        "`decoder_mask(input_ids, self.pad_id)`.",
        breaks=logits,
    )
    class NotCausal(Transformer):
        def decode(self, input_ids, memory, source_ids):
            mask = padding_mask(input_ids, self.pad_id)
            return self.decoder(self.embed(input_ids), memory, mask, memory_mask(source_ids, self.pad_id))

    @mistake(
        "The encoder looks at the padding of the source: give it `padding_mask(source_ids, self.pad_id)`.",
        breaks=masks,
    )
    class EncoderUnmasked(Transformer):
        def encode(self, source_ids):
            return self.encoder(self.embed(source_ids))

    @mistake(
        "The encoder reads from left to right: nothing of the source has to be hidden but its padding, so "
        "its mask is the padding mask, not the decoder's.",
        breaks=logits,
    )
    class EncoderCausal(Transformer):
        def encode(self, source_ids):
            return self.encoder(self.embed(source_ids), decoder_mask(source_ids, self.pad_id))

    @mistake(
        "The memory's mask is missing: the decoder looks at the padding of the source, and a translation "
        "depends on its neighbours. Give it `memory_mask(source_ids, self.pad_id)`.",
        breaks=masks,
    )
    class MemoryUnmasked(Transformer):
        def decode(self, input_ids, memory, source_ids):
            return self.decoder(self.embed(input_ids), memory, decoder_mask(input_ids, self.pad_id))

    @mistake(
        "The padding of the target is seen: the causal mask alone does not hide it where it stands before "
        "or among the words. Use `decoder_mask`, which does both.",
        breaks=masks,
    )
    class TargetPaddingSeen(Transformer):
        def decode(self, input_ids, memory, source_ids):
            mask = causal_mask(input_ids.shape[1])
            return self.decoder(self.embed(input_ids), memory, mask, memory_mask(source_ids, self.pad_id))

    @mistake(
        "Padding is always 0 for you: the id of the padding is `pad_id`, whatever it is.",
        breaks=masks,
    )
    class PadIsZero(Transformer):
        def __init__(self, vocab_size, d_model, n_heads, d_ff, n_layers, max_length, pad_id=0, **options):
            super().__init__(vocab_size, d_model, n_heads, d_ff, n_layers, max_length, 0, **options)

    @mistake(
        "`decode` makes a memory of its own from the source: it is given one, made once for the whole "
        "target. `source_ids` are there for the mask.",
        breaks=parts,
    )
    class EncodesAgain(Transformer):
        def decode(self, input_ids, memory, source_ids):
            return super().decode(input_ids, self.encode(source_ids), source_ids)

    @mistake(
        "`decode` uses the mask that `encode` left behind: between the two, another source may have been "
        "encoded. Make it of the `source_ids` that `decode` is given.",
        breaks=parts,
    )
    class MaskLeftBehind(Transformer):
        def encode(self, source_ids):
            self.kept = source_ids
            return super().encode(source_ids)

        def decode(self, input_ids, memory, source_ids):
            return super().decode(input_ids, memory, self.kept)

    @mistake(
        "Your head asks for three axes: states come with any axes in front, such as those of the real "
        "tokens alone. Multiply along the last axis, as `F.linear` does.",
        breaks=parts,
    )
    class ThreeAxes(Transformer):
        def head(self, states):
            return torch.einsum("btd,vd->btv", states, self.embed.embedding.weight)

    @mistake(
        "`decode` gives logits: it should give the decoder's states, so that the head is asked only where "
        "it is needed. The head belongs into `forward`.",
        breaks=parts,
    )
    class DecodeWithHead(Transformer):
        def forward(self, source_ids, input_ids):
            return self.decode(input_ids, self.encode(source_ids), source_ids)

        def decode(self, input_ids, memory, source_ids):
            return self.head(super().decode(input_ids, memory, source_ids))

    @mistake(
        "`norm_first` does not reach encoder and decoder: hand it over.",
        breaks=options,
    )
    class AlwaysPreNorm(Transformer):
        def __init__(self, vocab_size, d_model, n_heads, d_ff, n_layers, max_length, **options):
            norm_first = options.pop("norm_first", True)
            super().__init__(vocab_size, d_model, n_heads, d_ff, n_layers, max_length, **options)
            if not norm_first:
                self.encoder.norm = self.decoder.norm = nn.Identity()

    @mistake(
        "`dropout` reaches the layers, but not what is embedded: hand it to `DecoderInput`, too.",
        breaks=options,
    )
    class EmbeddingNotDropped(Transformer):
        def __init__(self, *sizes, **options):
            super().__init__(*sizes, **options)
            self.embed.dropout = nn.Identity()

    @mistake(
        "`dropout` reaches what is embedded, but not the layers: hand it to encoder and decoder, too.",
        breaks=options,
    )
    class LayersNotDropped(Transformer):
        def __init__(self, vocab_size, d_model, n_heads, d_ff, n_layers, max_length, **options):
            dropped = options.pop("dropout", 0.0)
            super().__init__(vocab_size, d_model, n_heads, d_ff, n_layers, max_length, **options)
            self.embed.dropout = nn.Dropout(dropped)

    @mistake(
        "`max_length` does not reach what embeds: hand it to `DecoderInput`, which refuses longer texts.",
        breaks=options,
    )
    class LengthIgnored(Transformer):
        def __init__(self, vocab_size, d_model, n_heads, d_ff, n_layers, max_length, *others, **options):
            super().__init__(vocab_size, d_model, n_heads, d_ff, n_layers, 512, *others, **options)

    @mistake(
        "The table learns nothing as a head: `.detach()` or `.data` cuts the gradient there. Use the "
        "parameter itself, so that gradients reach it from both ends.",
        breaks=gradient,
    )
    class HeadCut(Transformer):
        def head(self, states):
            return F.linear(states, self.embed.embedding.weight.detach())

    @mistake(
        "No gradient reaches the encoder: the memory is cut off with `.detach()` or made under `no_grad`.",
        breaks=gradient,
    )
    class EncoderCut(Transformer):
        def forward(self, source_ids, input_ids):
            memory = self.encode(source_ids).detach()
            return self.head(self.decode(input_ids, memory, source_ids))


def _of_real(logits, target_ids, pad_id):
    """The loss of each token that is no padding."""
    real = target_ids != pad_id
    return F.cross_entropy(logits[real], target_ids[real], reduction="none")


class SequenceLoss(Exercise):
    name = "sequence_loss"
    solutions = solutions.transformer

    @behaviour("is the mean cross-entropy of the tokens", points=2)
    def mean(ask, draw):
        ask.same(draw.scores(2, 3, 4), torch.tensor([[2, 1, 3], [3, 3, 1]]), 0)

    @behaviour("leaves padding out of the sum and out of the number of tokens", points=2)
    def padding(ask, draw):
        ask.same(draw.scores(2, 3, 4), torch.tensor([[1, 3, 2], [3, 0, 0]]), 0)
        ask.same(draw.scores(2, 3, 5), torch.tensor([[1, 0, 4], [4, 3, 4]]), pad_id=4)

    @behaviour("smooths the labels over the whole vocabulary, again without the padding", points=2)
    def smoothing(ask, draw):
        ask.same(draw.scores(2, 3, 5), torch.tensor([[1, 2, 4], [3, 0, 0]]), 0, label_smoothing=0.3)

    @behaviour("takes logits of any number of axes, and large ones", points=1)
    def shapes(ask, draw):
        ask.same(draw.scores(4, 5), torch.tensor([1, 4, 0, 2]), 0, 0.1)
        large = 300 * draw.scores(2, 1, 4).sign()
        large[:, :, 1:3] = torch.tensor([[[-300.0, 300.0]], [[300.0, -300.0]]])  # both targets are unlikely
        ask.same(large, torch.tensor([[1], [2]]), 0)

    @behaviour("passes gradients back, and none to the padding", points=1)
    def gradient(ask, draw):
        target_ids = torch.tensor([[1, 2, 4], [3, 0, 0]])
        ask.same_gradient(draw.scores(2, 3, 5), target_ids, 0, 0.1, upstream=torch.tensor(1.0))

    @behaviour("is right without changing its arguments, and on any device", points=1)
    def neighbourly(ask, draw):
        arguments = draw.scores(2, 3, 5), torch.tensor([[1, 2, 4], [3, 0, 0]]), 0
        ask.keeps_arguments(*arguments)
        ask.follows_device(*arguments)

    @mistake(
        "You give the sum: it grows with the batch and with the lengths. Divide by the number of tokens "
        "that are no padding.",
        breaks=mean,
    )
    def summed(logits, target_ids, pad_id, label_smoothing=0.0):
        return F.cross_entropy(
            logits.flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=label_smoothing,
            reduction="sum",
        )

    @mistake(
        "You divide by the number of sentences: longer sentences then have a larger loss. Divide by the "
        "number of tokens.",
        breaks=mean,
    )
    def by_sentence(logits, target_ids, pad_id, label_smoothing=0.0):
        total = F.cross_entropy(
            logits.flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=label_smoothing,
            reduction="sum",
        )
        return total / len(target_ids)

    @mistake(
        "Padding is learned like a word: its positions must be left out altogether.",
        breaks=padding,
    )
    def padding_learned(logits, target_ids, pad_id, label_smoothing=0.0):
        return F.cross_entropy(logits.flatten(0, -2), target_ids.flatten(), label_smoothing=label_smoothing)

    @mistake(
        "Padding is left out of the sum, but counted in the number you divide by: the more padding, the "
        "smaller the loss. Divide by the number of real tokens.",
        breaks=padding,
    )
    def padding_counted(logits, target_ids, pad_id, label_smoothing=0.0):
        losses = F.cross_entropy(
            logits.flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=label_smoothing,
            reduction="none",
        )
        return losses.mean()

    @mistake(
        "You average the sentences' averages: a word in a short sentence counts more than one in a long "
        "sentence. Average over all tokens of the batch at once.",
        breaks=padding,
    )
    def mean_of_means(logits, target_ids, pad_id, label_smoothing=0.0):
        if target_ids.dim() == 1:
            logits, target_ids = logits[None], target_ids[None]
        losses = F.cross_entropy(
            logits.flatten(0, -2), target_ids.flatten(), label_smoothing=label_smoothing, reduction="none"
        ).reshape(target_ids.shape)
        real = target_ids != pad_id
        return ((losses * real).sum(dim=-1) / real.sum(dim=-1)).mean()

    @mistake(
        "Padding is always 0 for you: use `pad_id`, whatever it is.",
        breaks=padding,
    )
    def pad_is_zero(logits, target_ids, pad_id, label_smoothing=0.0):
        return F.cross_entropy(
            logits.flatten(0, -2),
            target_ids.flatten(),
            ignore_index=0,
            label_smoothing=label_smoothing,
        )

    @mistake(
        "You take the softmax first: `F.cross_entropy` takes logits and makes the softmax itself. Twice, "
        "the probabilities are nearly all the same.",
        breaks=mean,
    )
    def softmax_twice(logits, target_ids, pad_id, label_smoothing=0.0):
        return F.cross_entropy(
            logits.softmax(dim=-1).flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=label_smoothing,
        )

    @mistake(
        "The sign is wrong: probabilities have negative logarithms, and the loss is minus their mean.",
        breaks=mean,
    )
    def negative(logits, target_ids, pad_id, label_smoothing=0.0):
        return -F.cross_entropy(
            logits.flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=label_smoothing,
        )

    @mistake(
        "Your loss is in bits: it is asked for in nats, with natural logarithms.",
        breaks=mean,
    )
    def bits(logits, target_ids, pad_id, label_smoothing=0.0):
        loss = F.cross_entropy(
            logits.flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=label_smoothing,
        )
        return loss / math.log(2)

    @mistake(
        "You give the perplexity, the exponential of the loss: the loss itself is asked for.",
        breaks=mean,
    )
    def perplexity(logits, target_ids, pad_id, label_smoothing=0.0):
        return F.cross_entropy(
            logits.flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=label_smoothing,
        ).exp()

    @mistake(
        "You give a number for each token: the loss is one number, their mean.",
        breaks=mean,
    )
    def one_for_each(logits, target_ids, pad_id, label_smoothing=0.0):
        losses = F.cross_entropy(
            logits.flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=label_smoothing,
            reduction="none",
        )
        return losses.reshape(target_ids.shape)

    @mistake(
        "You smooth where nobody asks for it: by default `label_smoothing` is 0.0, and what is handed "
        "over is what counts.",
        breaks=mean,
    )
    def smoothed_by_default(logits, target_ids, pad_id, label_smoothing=0.0):
        return F.cross_entropy(
            logits.flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=label_smoothing or 0.1,
        )

    @mistake(
        "You take the mean over the vocabulary, too: for each token the products of wanted probability and "
        "logarithm are summed; the mean is that of the tokens.",
        breaks=mean,
    )
    def mean_over_vocabulary(logits, target_ids, pad_id, label_smoothing=0.0):
        loss = F.cross_entropy(
            logits.flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=label_smoothing,
        )
        return loss / logits.shape[-1]

    @mistake(
        "`label_smoothing` is not used: hand it on.",
        breaks=smoothing,
    )
    def not_smoothed(logits, target_ids, pad_id, label_smoothing=0.0):
        return F.cross_entropy(logits.flatten(0, -2), target_ids.flatten(), ignore_index=pad_id)

    @mistake(
        "You spread the share over the other tokens alone: here the wanted token gets its part of it as "
        "well, as every token of the vocabulary does.",
        breaks=smoothing,
    )
    def over_the_others(logits, target_ids, pad_id, label_smoothing=0.0):
        real = target_ids != pad_id
        logits, target_ids = logits[real], target_ids[real]
        wanted = torch.full_like(logits, label_smoothing / (logits.shape[-1] - 1))
        wanted.scatter_(-1, target_ids[:, None], 1 - label_smoothing)
        return -(wanted * logits.log_softmax(dim=-1)).sum(dim=-1).mean()

    @mistake(
        "Padding gets no share in your smoothing: here the share is spread over the whole vocabulary, the "
        "padding's and the wanted token's places included.",
        breaks=smoothing,
    )
    def none_for_padding(logits, target_ids, pad_id, label_smoothing=0.0):
        real = target_ids != pad_id
        logits, target_ids = logits[real], target_ids[real]
        wanted = torch.full_like(logits, label_smoothing / (logits.shape[-1] - 2))
        wanted.scatter_(-1, target_ids[:, None], 1 - label_smoothing)
        if 0 <= pad_id < logits.shape[-1]:
            wanted[:, pad_id] = 0.0
        return -(wanted * logits.log_softmax(dim=-1)).sum(dim=-1).mean()

    @mistake(
        "The share comes on top: what is spread is taken from the wanted token, which keeps `1 - "
        "label_smoothing`, so that all is 1 again.",
        breaks=smoothing,
    )
    def share_on_top(logits, target_ids, pad_id, label_smoothing=0.0):
        real = target_ids != pad_id
        logs = logits[real].log_softmax(dim=-1)
        nll = -logs.gather(-1, target_ids[real][:, None]).mean()
        return nll - label_smoothing * logs.mean()

    @mistake(
        "You give the Kullback-Leibler divergence, as `F.kl_div` does: it is the cross-entropy without the "
        "entropy of the wanted probabilities.",
        breaks=smoothing,
    )
    def divergence(logits, target_ids, pad_id, label_smoothing=0.0):
        real = target_ids != pad_id
        wanted = F.one_hot(target_ids[real], logits.shape[-1]) * (1 - label_smoothing)
        wanted = wanted + label_smoothing / logits.shape[-1]
        return F.kl_div(logits[real].log_softmax(dim=-1), wanted, reduction="batchmean")

    @mistake(
        "You smooth with the sum over the vocabulary, not with its mean: each token gets the whole share "
        "instead of a part of it.",
        breaks=smoothing,
    )
    def sum_over_vocabulary(logits, target_ids, pad_id, label_smoothing=0.0):
        real = target_ids != pad_id
        logs = logits[real].log_softmax(dim=-1)
        nll = -logs.gather(-1, target_ids[real][:, None]).mean()
        return (1 - label_smoothing) * nll - label_smoothing * logs.sum(dim=-1).mean()

    @mistake(
        "The smoothed part counts the padding: both parts are means over the tokens that are no padding.",
        breaks=smoothing,
    )
    def padding_smoothed(logits, target_ids, pad_id, label_smoothing=0.0):
        even = -logits.log_softmax(dim=-1).mean(dim=-1).mean()
        return (1 - label_smoothing) * _of_real(logits, target_ids, pad_id).mean() + label_smoothing * even

    @mistake(
        "The two shares are exchanged: `label_smoothing` is the part that is spread, the rest stays with "
        "the wanted token.",
        breaks=smoothing,
    )
    def shares_exchanged(logits, target_ids, pad_id, label_smoothing=0.0):
        if not label_smoothing:
            return _of_real(logits, target_ids, pad_id).mean()
        return F.cross_entropy(
            logits.flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=1 - label_smoothing,
        )

    @mistake(
        "You flatten or exchange axes as if there were always two in front: with one, or with three, the "
        "shapes do not fit. `flatten(0, -2)` keeps the last axis and joins all others.",
        breaks=shapes,
    )
    def two_axes_only(logits, target_ids, pad_id, label_smoothing=0.0):
        return F.cross_entropy(
            logits.transpose(1, 2),
            target_ids,
            ignore_index=pad_id,
            label_smoothing=label_smoothing,
        )

    @mistake(
        "Large logits are too much: their exp is infinite, or a softmax is rounded to 0 before its logarithm "
        "is taken. Take `log_softmax`, which subtracts the largest first, or `F.cross_entropy`.",
        breaks=shapes,
    )
    def overflow(logits, target_ids, pad_id, label_smoothing=0.0):
        real = target_ids != pad_id
        logits, target_ids = logits[real], target_ids[real]
        logs = logits - logits.exp().sum(dim=-1, keepdim=True).log()
        nll = -logs.gather(-1, target_ids[:, None]).mean()
        return (1 - label_smoothing) * nll - label_smoothing * logs.mean()

    @mistake(
        "A small number is added before the logarithm: unlikely tokens then cost too little, and nothing is "
        "learned from them. `log_softmax` needs none.",
        breaks=shapes,
    )
    def small_number_added(logits, target_ids, pad_id, label_smoothing=0.0):
        real = target_ids != pad_id
        logs = (logits[real].softmax(dim=-1) + 1e-9).log()
        nll = -logs.gather(-1, target_ids[real][:, None]).mean()
        return (1 - label_smoothing) * nll - label_smoothing * logs.mean()

    @mistake(
        "You return a number of Python's: `.item()` ends the graph, and there is nothing to go back from. "
        "Return the tensor.",
        breaks=mean,
    )
    def item(logits, target_ids, pad_id, label_smoothing=0.0):
        return F.cross_entropy(
            logits.flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=label_smoothing,
        ).item()

    @mistake(
        "The targets are shifted inside the loss: logits and targets arrive with the same positions, and "
        "the shift was made at the decoder's input.",
        breaks=mean,
    )
    def shifted(logits, target_ids, pad_id, label_smoothing=0.0):
        if target_ids.shape[-1] > 1:
            logits, target_ids = logits[..., :-1, :], target_ids[..., 1:]
        return F.cross_entropy(
            logits.flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=label_smoothing,
        )

    @mistake(
        "Your loss has no gradient: something on the way, `.detach()`, `.data` or `torch.tensor(...)`, "
        "cuts the graph.",
        breaks=gradient,
    )
    def cut(logits, target_ids, pad_id, label_smoothing=0.0):
        return F.cross_entropy(
            logits.detach().flatten(0, -2),
            target_ids.flatten(),
            ignore_index=pad_id,
            label_smoothing=label_smoothing,
        )

    @mistake(
        "You write into the targets you are given, to mark the padding: the caller's tensor changes. Work "
        "on a copy, or hand over `ignore_index`.",
        breaks=neighbourly,
    )
    def marks_in_place(logits, target_ids, pad_id, label_smoothing=0.0):
        target_ids[target_ids == pad_id] = -100
        return F.cross_entropy(logits.flatten(0, -2), target_ids.flatten(), label_smoothing=label_smoothing)


class WarmupSchedule(Exercise):
    name = "warmup_schedule"
    solutions = solutions.transformer

    @behaviour("grows in a line up to the step `warmup`", points=2)
    def rising(ask, draw):
        ask.same(1, 16, 8)
        ask.same(draw.integer(20, 90), 512, 4000)

    @behaviour("falls with the root of the step afterwards", points=2)
    def falling(ask, draw):
        ask.same(draw.integer(450_000, 900_000), 512, 4000)

    @behaviour("is highest at the step `warmup`, where both meet", points=1)
    def peak(ask, draw):
        ask.same(9, d_model=4, warmup=9)

    @behaviour("refuses a step before the first", points=1)
    def refuses(ask, draw):
        ask.refuses("ValueError", 0, 512, 4000)
        ask.refuses("ValueError", -1, 512, 4000)

    @mistake(
        "You take the larger of the two: it begins at the top, and never warms up. Take `min`.",
        breaks=rising,
    )
    def larger(step, d_model, warmup):
        if step < 1:
            raise ValueError
        return d_model**-0.5 * max(step**-0.5, step * warmup**-1.5)

    @mistake(
        "d_model is not used: wider models need smaller steps. Multiply by `d_model ** -0.5`.",
        breaks=rising,
    )
    def without_width(step, d_model, warmup):
        if step < 1:
            raise ValueError
        return min(step**-0.5, step * warmup**-1.5)

    @mistake(
        "You multiply by the root of d_model: wider models need smaller steps, not larger ones. The "
        "exponent is -0.5.",
        breaks=rising,
    )
    def root_of_width(step, d_model, warmup):
        if step < 1:
            raise ValueError
        return d_model**0.5 * min(step**-0.5, step * warmup**-1.5)

    @mistake(
        "You divide by d_model itself: it is its root that counts, `d_model ** -0.5`.",
        breaks=rising,
    )
    def by_width(step, d_model, warmup):
        if step < 1:
            raise ValueError
        return min(step**-0.5, step * warmup**-1.5) / d_model

    @mistake(
        "The line is too steep: its exponent of `warmup` is -1.5, so that the two meet at the step `warmup`.",
        breaks=rising,
    )
    def steep(step, d_model, warmup):
        if step < 1:
            raise ValueError
        return d_model**-0.5 * min(step**-0.5, step * warmup**-0.5)

    @mistake(
        "The line grows by 1 / `warmup`, to 1: it should end where the other term is at that step, at one "
        "over the root of `warmup`. The exponent is -1.5.",
        breaks=rising,
    )
    def up_to_one(step, d_model, warmup):
        if step < 1:
            raise ValueError
        return d_model**-0.5 * min(step**-0.5, step / warmup)

    @mistake(
        "You return a tensor: a learning rate is a number of Python's. Take `**` and `min`, or `.item()`.",
        breaks=rising,
    )
    def tensor(step, d_model, warmup):
        if step < 1:
            raise ValueError
        return torch.tensor(d_model**-0.5 * min(step**-0.5, step * warmup**-1.5))

    @mistake(
        "The learning rate has no warm-up: it falls from the first step on.",
        breaks=rising,
    )
    def no_warmup(step, d_model, warmup):
        if step < 1:
            raise ValueError
        return d_model**-0.5 * step**-0.5

    @mistake(
        "The learning rate never falls: after the step `warmup` it goes on growing. The smaller of two "
        "terms counts.",
        breaks=falling,
    )
    def only_rising(step, d_model, warmup):
        if step < 1:
            raise ValueError
        return d_model**-0.5 * step * warmup**-1.5

    @mistake(
        "After the warm-up the learning rate stays where it is: it should fall with `step ** -0.5`.",
        breaks=falling,
    )
    def stays(step, d_model, warmup):
        if step < 1:
            raise ValueError
        return d_model**-0.5 * min(step, warmup) * warmup**-1.5

    @mistake(
        "After the warm-up the learning rate falls with the step itself: it is the root of the step that "
        "it falls with.",
        breaks=falling,
    )
    def falls_too_fast(step, d_model, warmup):
        if step < 1:
            raise ValueError
        return d_model**-0.5 * warmup**-0.5 * min(step / warmup, warmup / step)

    @mistake(
        "You count steps from 0: the first step is 1, and needs nothing added.",
        breaks=rising,
    )
    def from_zero(step, d_model, warmup):
        if step < 1:
            raise ValueError
        step = step + 1
        return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)

    @mistake(
        "At step 0 yours stops with a ZeroDivisionError: say what is wrong instead, with a ValueError.",
        breaks=refuses,
    )
    def not_refused(step, d_model, warmup):
        return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)

    @mistake(
        "Before the first step you give 0: nothing would be learned, and nobody would be told. Raise a "
        "ValueError.",
        breaks=refuses,
    )
    def zero_before(step, d_model, warmup):
        return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5) if step > 0 else 0.0

    @mistake(
        "Before the first step you give the first one's rate: a wrong count is hidden. Raise a ValueError.",
        breaks=refuses,
    )
    def first_instead(step, d_model, warmup):
        step = max(step, 1)
        return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)

    @mistake(
        "You refuse the first step, too: it is 1. Refuse what comes before, `step < 1`.",
        breaks=rising,
    )
    def first_refused(step, d_model, warmup):
        if step <= 1:
            raise ValueError
        return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)

    @mistake(
        "`assert` raises an AssertionError, and nothing at all where Python runs with -O: raise a "
        "ValueError.",
        breaks=refuses,
    )
    def with_assert(step, d_model, warmup):
        assert step >= 1
        return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)
