"""The exercises of chapter 06, answered in other ways. All of them are right."""

import torch
from torch import nn
from torch.nn import functional as F

from solutions.cross_attention import CrossAttention
from solutions.decoder_layer import DecoderLayer as Reference
from solutions.decoder_layer import FeedForward as FeedForwardReference
from solutions.decoder_layer import LayerNorm as LayerNormReference
from solutions.decoder_layer import add_branch
from solutions.self_attention import MultiHeadAttention


class LayerNorm:
    answers = "LayerNorm"

    class with_var(nn.Module):
        def __init__(self, d_model, eps=1e-5):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(d_model))
            self.bias = nn.Parameter(torch.zeros(d_model))
            self.eps = eps

        def forward(self, x):
            mean = x.mean(-1, keepdim=True)
            variance = x.var(-1, keepdim=True, unbiased=False)
            return self.weight * (x - mean) / torch.sqrt(variance + self.eps) + self.bias

    class with_var_mean(LayerNormReference):
        def forward(self, x):
            variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
            return torch.addcmul(self.bias, (x - mean) * torch.rsqrt(variance + self.eps), self.weight)

    class with_sums(nn.Module):
        def __init__(self, d_model, eps=1e-5):
            super().__init__()
            self.d_model, self.epsilon = d_model, eps
            self.bias = nn.Parameter(torch.zeros(d_model))
            self.weight = nn.Parameter(torch.ones(d_model))

        def forward(self, x):
            x = x - x.sum(dim=-1, keepdim=True) / self.d_model
            squares = (x * x).sum(dim=-1, keepdim=True) / self.d_model
            return x * (squares + self.epsilon) ** -0.5 * self.weight + self.bias

    class with_linear(LayerNormReference):
        def forward(self, x):
            n = x.shape[-1]
            centring = torch.eye(n, dtype=x.dtype, device=x.device) - 1 / n
            x = F.linear(x, centring)
            length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
            return x / (length.square() / n + self.eps).sqrt() * self.weight + self.bias

    class one_vector_at_a_time(LayerNormReference):
        def forward(self, x):
            rows = [self.one(row) for row in x.reshape(-1, x.shape[-1]).unbind()]
            return torch.stack(rows).reshape(x.shape)

        def one(self, x):
            centred = x - x.mean()
            return centred / (centred @ centred / len(x) + self.eps).sqrt() * self.weight + self.bias

    class in_float64(LayerNormReference):
        def forward(self, x):
            wide = x.double()
            centred = wide - wide.mean(dim=-1, keepdim=True)
            centred = centred / (wide.var(dim=-1, keepdim=True, correction=0) + self.eps).sqrt()
            return (centred * self.weight.double() + self.bias.double()).to(x.dtype)


class FeedForward:
    answers = "FeedForward"

    class with_functions(nn.Module):
        def __init__(self, d_model, d_ff, dropout=0.0):
            super().__init__()
            self.up, self.down, self.p = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model), dropout

        def forward(self, x):
            hidden = F.dropout(F.relu(self.up(x)), self.p, self.training)
            return self.down(hidden)

    class with_clamp(FeedForwardReference):
        def forward(self, x):
            return self.down(self.dropout(self.up(x).clamp(min=0)))

    class dropped_before_the_relu(FeedForwardReference):
        def forward(self, x):
            return self.down(torch.relu(self.dropout(self.up(x))))

    class with_matrices(nn.Module):
        def __init__(self, d_model, d_ff, dropout=0.0):
            super().__init__()
            self.down = nn.Linear(in_features=d_ff, out_features=d_model)
            self.up = nn.Linear(in_features=d_model, out_features=d_ff)
            self.drop = nn.Dropout(p=dropout)
            self.activation = nn.ReLU()

        def forward(self, x):
            hidden = self.activation(x @ self.up.weight.T + self.up.bias)
            return self.drop(hidden) @ self.down.weight.T + self.down.bias

    class position_by_position(FeedForwardReference):
        def forward(self, x):
            rows = x.reshape(-1, x.shape[-1])
            return torch.stack([self.work(row) for row in rows]).reshape(x.shape)

        def work(self, row):
            hidden = self.dropout(torch.maximum(self.up(row), torch.zeros_like(self.up(row))))
            return self.down(hidden)

    class with_a_dropout_of_its_own(FeedForwardReference):
        def forward(self, x):
            hidden, kept = self.up(x).relu(), 1 - self.dropout.p
            if self.training:
                hidden = hidden * torch.bernoulli(torch.full_like(hidden, kept)) / max(kept, 1e-9)
            return self.down(hidden)

    class with_a_convolution(FeedForwardReference):
        def forward(self, x):
            rows = x.reshape(1, -1, x.shape[-1]).mT
            hidden = F.conv1d(rows, self.up.weight[..., None], self.up.bias).relu()
            found = F.conv1d(self.dropout(hidden), self.down.weight[..., None], self.down.bias)
            return found.mT.reshape(x.shape)


class DecoderLayer:
    answers = "DecoderLayer"

    class without_connect(nn.Module):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__()
            self.self_attention = MultiHeadAttention(d_model, n_heads)
            self.cross_attention = CrossAttention(d_model, n_heads)
            self.feed_forward = FeedForwardReference(d_model, d_ff, dropout)
            self.self_norm, self.cross_norm = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
            self.feed_norm, self.norm_first = nn.LayerNorm(d_model), norm_first
            self.dropout = nn.Dropout(dropout)

        def forward(self, x, memory, self_mask=None, memory_mask=None):
            how = {"dropout": self.dropout, "norm_first": self.norm_first}
            x = add_branch(x, lambda y: self.self_attention(y, self_mask), self.self_norm, **how)
            x = add_branch(x, lambda y: self.cross_attention(y, memory, memory_mask), self.cross_norm, **how)
            return add_branch(x, self.feed_forward, self.feed_norm, **how)

    class written_out(nn.Module):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__()
            self.pre = norm_first
            self.feed_norm = LayerNormReference(d_model)
            self.cross_norm = LayerNormReference(d_model)
            self.self_norm = LayerNormReference(d_model)
            self.feed_forward = FeedForwardReference(d_model, d_ff, dropout)
            self.cross_attention = CrossAttention(d_model, n_heads)
            self.self_attention = MultiHeadAttention(d_model, n_heads)
            self.drop1, self.drop2, self.drop3 = (nn.Dropout(dropout) for _ in range(3))

        def forward(self, x, memory, self_mask=None, memory_mask=None):
            if self.pre:
                x = x + self.drop1(self.self_attention(self.self_norm(x), self_mask))
                x = x + self.drop2(self.cross_attention(self.cross_norm(x), memory, memory_mask))
                return x + self.drop3(self.feed_forward(self.feed_norm(x)))
            x = self.self_norm(x + self.drop1(self.self_attention(x, self_mask)))
            x = self.cross_norm(x + self.drop2(self.cross_attention(x, memory, memory_mask)))
            return self.feed_norm(x + self.drop3(self.feed_forward(x)))

    class with_a_loop(nn.Module):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__()
            self.p, self.norm_first = dropout, norm_first
            for name in ("self_norm", "cross_norm", "feed_norm"):
                setattr(self, name, nn.LayerNorm(d_model))
            self.self_attention = MultiHeadAttention(d_model, n_heads, 0.0)
            self.cross_attention = CrossAttention(d_model, n_heads, 0.0)
            self.feed_forward = FeedForwardReference(d_model, d_ff, dropout=dropout)

        def forward(self, x, memory, self_mask=None, memory_mask=None):
            steps = [
                (self.self_norm, self.self_attention, (self_mask,)),
                (self.cross_norm, self.cross_attention, (memory, memory_mask)),
                (self.feed_norm, self.feed_forward, ()),
            ]
            for norm, branch, others in steps:
                read = norm(x) if self.norm_first else x
                x = torch.add(x, F.dropout(branch(read, *others), self.p, self.training))
                x = x if self.norm_first else norm(x)
            return x

    class with_a_feed_forward_of_its_own(Reference):
        class Network(nn.Module):
            def __init__(self, d_model, d_ff, dropout):
                super().__init__()
                self.up, self.down = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
                self.drop = nn.Dropout(dropout)

            def forward(self, x):
                return self.down(self.drop(F.relu(self.up(x))))

        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, dropout, norm_first)
            self.feed_forward = self.Network(d_model, d_ff, dropout)

    class with_projected_memory(Reference):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            made = self.cross_attention.project_memory(memory)

            def look(x):
                return self.cross_attention.attend(x, *made, memory_mask)

            how = self.dropout, self.norm_first
            x = add_branch(x, lambda x: self.self_attention(x, mask=self_mask), self.self_norm, *how)
            x = add_branch(x, look, self.cross_norm, *how)
            return add_branch(x, self.feed_forward, self.feed_norm, *how)

    class with_two_forwards(Reference):
        def forward(self, x, memory, self_mask=None, memory_mask=None):
            go = self.pre if self.norm_first else self.post
            x = go(self.self_norm, self.self_attention, x, self_mask)
            x = go(self.cross_norm, self.cross_attention, x, memory, memory_mask)
            return go(self.feed_norm, self.feed_forward, x)

        def pre(self, norm, branch, x, *others):
            return self.dropout(branch(norm(x), *others)) + x

        def post(self, norm, branch, x, *others):
            return norm(self.dropout(branch(x, *others)) + x)

    class looks_across_at_itself(Reference):
        def __init__(self, d_model, n_heads, d_ff, dropout=0.0, norm_first=True):
            super().__init__(d_model, n_heads, d_ff, dropout, norm_first)
            self.self_attention = CrossAttention(d_model, n_heads)

        def drop(self, given):
            if not self.training:
                return given
            kept = 1 - self.dropout.p
            return given * (torch.rand_like(given) < kept) / max(kept, 1e-9)

        def forward(self, x, memory, self_mask=None, memory_mask=None):
            for branch, norm in (
                (lambda y: self.self_attention(y, y, self_mask), self.self_norm),
                (lambda y: self.cross_attention(y, memory, memory_mask), self.cross_norm),
                (self.feed_forward, self.feed_norm),
            ):
                x = add_branch(x, branch, norm, self.drop, self.norm_first)
            return x
