"""The exercises of chapter 04, answered in other ways. All of them are right."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from solutions.masks import masked_softmax
from solutions.self_attention import MultiHeadAttention


class Attention:
    answers = "attention"

    def with_einsum(query, key, value, mask=None):
        scores = torch.einsum("...qd,...kd->...qk", query, key) / math.sqrt(query.size(-1))
        if mask is None:
            mask = torch.ones_like(scores, dtype=torch.bool)
        weights = masked_softmax(scores, mask)
        return torch.einsum("...qk,...kv->...qv", weights, value), weights

    def with_queries_scaled(query, key, value, mask=None):
        scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-2, -1))
        if mask is not None:
            scores = torch.where(mask, scores, -math.inf)
        weights = F.softmax(scores, dim=-1)
        if mask is not None:
            weights = torch.where(mask, weights, 0.0)
        return torch.matmul(weights, value), weights

    def with_loops(query, key, value, mask=None):
        scores = [(row.unsqueeze(-2) * key).sum(dim=-1) for row in query.unbind(dim=-2)]
        scores = torch.stack(scores, dim=-2) / query.shape[-1] ** 0.5
        weights = torch.softmax(scores, -1) if mask is None else masked_softmax(scores, mask)
        output = 0
        for j in range(key.shape[-2]):
            output = output + weights[..., j : j + 1] * value[..., j : j + 1, :]
        return output, weights

    def with_exponentials(query, key, value, mask=None):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if mask is not None:
            empty = ~mask.any(dim=-1, keepdim=True)
            scores = scores.masked_fill(~mask, -math.inf).masked_fill(empty, 0.0)
        exponentials = (scores - scores.amax(dim=-1, keepdim=True).detach()).exp()
        weights = exponentials / exponentials.sum(dim=-1, keepdim=True)
        if mask is not None:
            weights = weights.masked_fill(~mask, 0.0)
        return weights @ value, weights

    def with_float32_inside(query, key, value, mask=None):
        dtype = torch.promote_types(query.dtype, torch.float32)
        scores = query.to(dtype) @ key.to(dtype).mT / query.shape[-1] ** 0.5
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        return (weights @ value.to(dtype)).to(query.dtype), weights.to(query.dtype)

    def with_one_batch_axis(query, key, value, mask=None):
        leading = query.shape[:-2]
        flat = [tensor.reshape(-1, *tensor.shape[-2:]) for tensor in (query, key, value)]
        scores = torch.bmm(flat[0], flat[1].transpose(1, 2)) / query.shape[-1] ** 0.5
        scores = scores.reshape(*leading, query.shape[-2], key.shape[-2])
        weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
        output = torch.bmm(weights.reshape(-1, *weights.shape[-2:]), flat[2])
        return output.reshape(*leading, *output.shape[-2:]), weights

    def as_a_list(query, key, value, mask=None):
        scores = query.matmul(key.swapaxes(-1, -2)).div(query.shape[-1] ** 0.5)
        if mask is not None:
            scores = scores.masked_fill(mask.logical_not(), -math.inf)
        weights = scores.softmax(-1)
        if mask is not None:
            weights = weights.nan_to_num(0.0)
        return [weights @ value, weights]


class SplitHeads:
    answers = "split_heads"

    def with_view(x, n_heads):
        batch, length, d_model = x.size()
        if d_model % n_heads != 0:
            raise ValueError("d_model must be a multiple of n_heads")
        return x.view(batch, length, n_heads, d_model // n_heads).permute(0, 2, 1, 3)

    def with_chunks(x, n_heads):
        if x.shape[-1] % n_heads:
            raise ValueError(f"{n_heads} heads cannot share {x.shape[-1]} numbers")
        return torch.stack(x.chunk(n_heads, dim=-1), dim=1)

    def with_loops(x, n_heads):
        d_head, rest = divmod(x.shape[2], n_heads)
        if rest:
            raise ValueError("uneven")
        pieces = [x[:, :, head * d_head : (head + 1) * d_head] for head in range(n_heads)]
        return torch.cat([piece.unsqueeze(1) for piece in pieces], dim=1)

    def with_einsum(x, n_heads):
        if x.shape[-1] % n_heads != 0:
            raise ValueError("uneven")
        pieces = x.reshape(*x.shape[:2], n_heads, -1)
        return torch.einsum("blhd->bhld", pieces).contiguous()

    def with_indices(x, n_heads):
        if x.shape[-1] / n_heads != x.shape[-1] // n_heads:
            raise ValueError("uneven")
        place = torch.arange(x.shape[-1], device=x.device).reshape(n_heads, -1)
        return x[..., place].movedim(2, 1)


class MergeHeads:
    answers = "merge_heads"

    def with_contiguous(x):
        batch, heads, length, d_head = x.size()
        return x.transpose(1, 2).contiguous().view(batch, length, heads * d_head)

    def with_cat(x):
        return torch.cat(x.unbind(dim=1), dim=-1)

    def with_permute(x):
        return x.permute(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1)

    def with_loops(x):
        tokens = []
        for position in range(x.shape[2]):
            pieces = [x[:, head, position] for head in range(x.shape[1])]
            tokens.append(torch.hstack(pieces))
        return torch.stack(tokens, dim=1)

    def with_assignment(x):
        batch, heads, length, d_head = x.shape
        merged = x.new_zeros(batch, length, heads * d_head)
        for head in range(heads):
            merged[:, :, head * d_head : (head + 1) * d_head] = x[:, head]
        return merged


class ManyHeads:
    answers = "MultiHeadAttention"

    class with_own_softmax(MultiHeadAttention):
        def forward(self, x, mask=None):
            batch, length, d_model = x.shape
            shape = (batch, length, self.n_heads, d_model // self.n_heads)
            query = self.query(x).view(shape).transpose(1, 2)
            key = self.key(x).view(shape).transpose(1, 2)
            value = self.value(x).view(shape).transpose(1, 2)
            scores = query @ key.mT / query.shape[-1] ** 0.5
            weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
            weights = F.dropout(weights, self.dropout, self.training)
            return self.output((weights @ value).transpose(1, 2).reshape(x.shape))

    class with_einsum(nn.Module):
        def __init__(self, d_model, n_heads, dropout=0.0):
            super().__init__()
            if d_model % n_heads != 0:
                raise ValueError("d_model must be a multiple of n_heads")
            self.d_head = d_model // n_heads
            self.h = n_heads
            self.query = nn.Linear(d_model, d_model)
            self.key = nn.Linear(d_model, d_model)
            self.value = nn.Linear(d_model, d_model)
            self.output = nn.Linear(d_model, d_model)
            self.drop = nn.Dropout(dropout)

        def forward(self, x, mask=None):
            query, key, value = (
                layer(x).unflatten(-1, (self.h, self.d_head)) for layer in (self.query, self.key, self.value)
            )
            scores = torch.einsum("bqhd,bkhd->bhqk", query, key) * self.d_head**-0.5
            if mask is not None:
                scores = scores.masked_fill(~mask, -torch.inf)
            weights = torch.softmax(scores, dim=-1)
            if mask is not None:
                weights = weights.masked_fill(~mask, 0)
            heads = torch.einsum("bhqk,bkhd->bqhd", self.drop(weights), value)
            return self.output(heads.flatten(2))

    class one_head_at_a_time(nn.Module):
        def __init__(self, d_model, n_heads, dropout=0.0):
            super().__init__()
            if d_model % n_heads:
                raise ValueError("uneven")
            self.n_heads, self.p = n_heads, dropout
            for name in ("query", "key", "value", "output"):
                setattr(self, name, nn.Linear(d_model, d_model))

        def forward(self, x, mask=None):
            if mask is not None:
                full = (x.shape[0], self.n_heads, x.shape[1], x.shape[1])
                mask = mask.expand(full)
            projected = [layer(x).chunk(self.n_heads, dim=-1) for layer in (self.query, self.key, self.value)]
            heads = []
            for head, (query, key, value) in enumerate(zip(*projected, strict=True)):
                heads.append(
                    F.scaled_dot_product_attention(
                        query,
                        key,
                        value,
                        attn_mask=None if mask is None else mask[:, head],
                        dropout_p=self.p if self.training else 0.0,
                    )
                )
            return self.output(torch.cat(heads, dim=-1))

    class with_one_product(MultiHeadAttention):
        def forward(self, x, mask=None):
            layers = (self.query, self.key, self.value)
            weight = torch.cat([layer.weight for layer in layers])
            bias = torch.cat([layer.bias for layer in layers])
            batch, length, d_model = x.shape
            together = F.linear(x, weight, bias).view(batch, length, 3, self.n_heads, -1)
            query, key, value = together.permute(2, 0, 3, 1, 4)
            p = self.dropout if self.training else 0.0
            heads = F.scaled_dot_product_attention(query, key, value, mask, p)
            return self.output(heads.transpose(1, 2).contiguous().view(batch, length, d_model))

    class with_batch_and_heads_joined(nn.Module):
        def __init__(self, d_model, n_heads, dropout=0.0):
            super().__init__()
            if d_model % n_heads:
                raise ValueError("uneven")
            self.n_heads, self.d_head = n_heads, d_model // n_heads
            self.query, self.key = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
            self.value, self.output = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
            self.attention_dropout = nn.Dropout(dropout)

        def split(self, x):
            batch, length, _ = x.shape
            x = x.reshape(batch, length, self.n_heads, self.d_head).transpose(1, 2)
            return x.reshape(batch * self.n_heads, length, self.d_head)

        def forward(self, x, mask=None):
            batch, length, d_model = x.shape
            query, key, value = (self.split(f(x)) for f in (self.query, self.key, self.value))
            scores = torch.bmm(query, key.transpose(1, 2)) / self.d_head**0.5
            if mask is not None:
                mask = mask.expand(batch, self.n_heads, length, length).reshape(scores.shape)
                anywhere = mask.any(dim=-1, keepdim=True)
                scores = scores.masked_fill(~mask & anywhere, -torch.inf)
                weights = scores.softmax(dim=-1) * anywhere
            else:
                weights = scores.softmax(dim=-1)
            heads = torch.bmm(self.attention_dropout(weights), value)
            heads = heads.reshape(batch, self.n_heads, length, self.d_head)
            return self.output(heads.transpose(1, 2).reshape(batch, length, d_model))

    class with_float32_inside(MultiHeadAttention):
        def forward(self, x, mask=None):
            query, key, value = (
                layer(x).float().unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
                for layer in (self.query, self.key, self.value)
            )
            scores = query @ key.mT / query.shape[-1] ** 0.5
            weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
            weights = F.dropout(weights, p=self.dropout, training=self.training)
            return self.output((weights @ value).transpose(1, 2).flatten(-2).to(x.dtype))
