"""The exercises of chapter 07, answered in other ways. All of them are right."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from solutions.decoder_layer import DecoderLayer
from solutions.embeddings import DecoderInput
from solutions.masks import causal_mask, decoder_mask, memory_mask, padding_mask
from solutions.transformer import Decoder, Encoder, EncoderLayer


class EncoderStack:
    answers = "Encoder"

    class WithAppend(nn.Module):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__()
            self.layers = nn.ModuleList()
            for _ in range(n_layers):
                self.layers.append(EncoderLayer(d_model, n_heads, d_ff, dropout, norm_first))
            self.norm = None
            if norm_first:
                self.norm = nn.LayerNorm(d_model)

        def forward(self, x, mask=None):
            for layer in self.layers:
                x = layer(x, mask)
            return x if self.norm is None else self.norm(x)

    class WithSequential(nn.Module):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__()
            layers = [
                EncoderLayer(d_model, n_heads, d_ff, dropout=dropout, norm_first=norm_first)
                for _ in range(n_layers)
            ]
            self.layers = nn.Sequential(*layers)
            self.norm = nn.LayerNorm(d_model) if norm_first else nn.Sequential()

        def forward(self, x, mask=None):
            for number in range(len(self.layers)):
                x = self.layers[number](x, mask=mask)
            return self.norm(x)

    class WithAFlag(nn.Module):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__()
            self.norm_first = norm_first
            self.layers = nn.ModuleList(
                [EncoderLayer(d_model, n_heads, d_ff, dropout, norm_first) for _ in range(n_layers)]
            )
            if self.norm_first:
                self.norm = nn.LayerNorm(d_model, eps=1e-5)

        def forward(self, x, mask=None):
            out = x
            for layer in self.layers:
                out = layer(out, mask)
            if self.norm_first:
                out = self.norm(out)
            return out

    class WithRecursion(nn.Module):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__()
            sizes = d_model, n_heads, d_ff
            self.layers = nn.ModuleList(EncoderLayer(*sizes, dropout, norm_first) for _ in range(n_layers))
            self.norm = nn.LayerNorm(d_model) if norm_first else (lambda x: x)

        def forward(self, x, mask=None, at=0):
            if at == len(self.layers):
                return self.norm(x)
            return self.forward(self.layers[at](x, mask), mask, at + 1)


class DecoderStack:
    answers = "Decoder"

    class WithAppend(nn.Module):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__()
            self.layers = nn.ModuleList([])
            for _ in range(n_layers):
                self.layers.append(DecoderLayer(d_model, n_heads, d_ff, dropout, norm_first))
            self.norm = nn.LayerNorm(d_model) if norm_first else None

        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers:
                x = layer(x, memory, self_mask=self_mask, memory_mask=memory_mask)
            if self.norm is not None:
                x = self.norm(x)
            return x

    class WithSequential(nn.Module):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__()
            how = {"dropout": dropout, "norm_first": norm_first}
            self.layers = nn.Sequential(
                *[DecoderLayer(d_model, n_heads, d_ff, **how) for _ in range(n_layers)]
            )
            self.norm = nn.LayerNorm(d_model) if norm_first else nn.Identity()

        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for layer in self.layers.children():
                x = layer(x, memory, self_mask, memory_mask)
            return self.norm(x)

    class WithAFlag(nn.Module):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__()
            self.norm_first = norm_first
            self.layers = nn.ModuleList(
                [DecoderLayer(d_model, n_heads, d_ff, dropout, norm_first) for _ in range(n_layers)]
            )
            if norm_first:
                self.norm = nn.LayerNorm(d_model)

        def forward(self, x, memory, self_mask=None, memory_mask=None):
            y = x
            for number, _ in enumerate(self.layers):
                y = self.layers[number](y, memory, self_mask, memory_mask)
            return self.norm(y) if self.norm_first else y

    class WithRecursion(nn.Module):
        def __init__(self, n_layers, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__()
            sizes = d_model, n_heads, d_ff
            self.layers = nn.ModuleList(DecoderLayer(*sizes, dropout, norm_first) for _ in range(n_layers))
            self.norm = nn.LayerNorm(d_model) if norm_first else (lambda x: x)

        def forward(self, x, memory, self_mask=None, memory_mask=None, at=0):
            if at == len(self.layers):
                return self.norm(x)
            x = self.layers[at](x, memory, self_mask, memory_mask)
            return self.forward(x, memory, self_mask, memory_mask, at + 1)


class WholeModel:
    answers = "Transformer"

    class WithMatmul(nn.Module):
        def __init__(
            self,
            vocab_size,
            d_model,
            n_heads,
            d_ff,
            n_layers,
            max_length,
            pad_id=0,
            dropout=0.0,
            norm_first=True,
        ):
            super().__init__()
            self.pad_id = pad_id
            self.embed = DecoderInput(vocab_size, d_model, max_length, dropout)
            self.encoder = Encoder(n_layers, d_model, n_heads, d_ff, dropout, norm_first)
            self.decoder = Decoder(n_layers, d_model, n_heads, d_ff, dropout, norm_first)

        def encode(self, source_ids):
            return self.encoder(self.embed(source_ids), mask=padding_mask(source_ids, self.pad_id))

        def decode(self, input_ids, memory, source_ids):
            x = self.embed(input_ids)
            self_mask = decoder_mask(input_ids, self.pad_id)
            return self.decoder(x, memory, self_mask, memory_mask(source_ids, self.pad_id))

        def head(self, states):
            return states @ self.embed.embedding.weight.T

        def forward(self, source_ids, input_ids):
            memory = self.encode(source_ids)
            states = self.decode(input_ids, memory, source_ids)
            return self.head(states)

    class WithEinsum(WithMatmul):
        def head(self, states):
            return torch.einsum("...d,vd->...v", states, self.embed.embedding.weight)

    class WithMasksByHand(WithMatmul):
        def encode(self, source_ids):
            real = (source_ids != self.pad_id)[:, None, None, :]
            return self.encoder(self.embed(source_ids), real)

        def decode(self, input_ids, memory, source_ids):
            real = (source_ids != self.pad_id)[:, None, None, :]
            mine = (input_ids != self.pad_id)[:, None, None, :]
            mine = mine & causal_mask(input_ids.shape[1]).to(input_ids.device)
            return self.decoder(self.embed(input_ids), memory, mine, real)

    class WithATiedLinear(WithMatmul):
        def __init__(self, vocab_size, d_model, n_heads, d_ff, n_layers, max_length, **options):
            super().__init__(vocab_size, d_model, n_heads, d_ff, n_layers, max_length, **options)
            self.named = nn.Linear(d_model, vocab_size, bias=False)
            self.named.weight = self.embed.embedding.weight
            self.__dict__["output"] = self._modules.pop("named")

        def head(self, states):
            return F.linear(states, self.output.weight)

    class InOneGo(WithMatmul):
        def forward(self, source_ids, input_ids):
            real = padding_mask(source_ids, self.pad_id)
            memory = self.encoder(self.embed(source_ids), real)
            x = self.embed(input_ids)
            states = self.decoder(x, memory, decoder_mask(input_ids, self.pad_id), real)
            return F.linear(states, self.embed.embedding.weight)


class SequenceLoss:
    answers = "sequence_loss"

    def with_selection(logits, target_ids, pad_id, label_smoothing=0.0):
        real = target_ids != pad_id
        return F.cross_entropy(logits[real], target_ids[real], label_smoothing=label_smoothing)

    def with_gather(logits, target_ids, pad_id, label_smoothing=0.0):
        logs = logits.log_softmax(dim=-1)
        picked = logs.gather(-1, target_ids.unsqueeze(-1)).squeeze(-1)
        losses = -(1 - label_smoothing) * picked - label_smoothing * logs.mean(dim=-1)
        real = (target_ids != pad_id).to(losses.dtype)
        return (losses * real).sum() / real.sum()

    def with_wanted_probabilities(logits, target_ids, pad_id, label_smoothing=0.0):
        vocab = logits.shape[-1]
        wanted = F.one_hot(target_ids, vocab).to(logits.dtype)
        wanted = (1 - label_smoothing) * wanted + label_smoothing / vocab
        losses = -(wanted * F.log_softmax(logits, dim=-1)).sum(dim=-1)
        return losses[target_ids != pad_id].mean()

    def with_the_module(logits, target_ids, pad_id, label_smoothing=0.0):
        criterion = nn.CrossEntropyLoss(ignore_index=pad_id, label_smoothing=label_smoothing)
        return criterion(logits.reshape(-1, logits.size(-1)), target_ids.reshape(-1))

    def with_a_loop(logits, target_ids, pad_id, label_smoothing=0.0):
        losses = []
        for row, wanted in zip(logits.flatten(0, -2), target_ids.flatten(), strict=True):
            if wanted != pad_id:
                losses.append(F.cross_entropy(row, wanted, label_smoothing=label_smoothing))
        return torch.stack(losses).mean()


class WarmupSchedule:
    answers = "warmup_schedule"

    def with_a_branch(step, d_model, warmup):
        if step <= 0:
            raise ValueError("steps count from 1")
        if step < warmup:
            return step / (math.sqrt(d_model) * warmup * math.sqrt(warmup))
        return 1 / math.sqrt(d_model * step)

    def with_pow(step, d_model, warmup):
        if not step >= 1:
            raise ValueError(f"step {step}")
        return pow(d_model, -0.5) * min(pow(step, -0.5), step * pow(warmup, -1.5))

    def as_a_share_of_the_peak(step, d_model, warmup):
        if step < 1:
            raise ValueError
        peak = (d_model * warmup) ** -0.5
        return peak * min(step / warmup, (warmup / step) ** 0.5)

    def with_torch(step, d_model, warmup):
        if step < 1:
            raise ValueError("too early")
        terms = torch.tensor([step**-0.5, step * warmup**-1.5], dtype=torch.float64)
        return (terms.min() / d_model**0.5).item()
