"""The exercises of chapter 02, answered in other ways. All of them are right."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from solutions.embeddings import sinusoidal_positions


class ShiftRight:
    answers = "shift_right"

    def with_assignment(target_ids, bos_id):
        shifted = torch.empty_like(target_ids)
        shifted[:, 0] = bos_id
        shifted[:, 1:] = target_ids[:, :-1]
        return shifted

    def with_roll(target_ids, bos_id):
        shifted = torch.roll(target_ids, shifts=1, dims=1)
        shifted[:, 0] = bos_id
        return shifted

    def with_pad(target_ids, bos_id):
        return F.pad(target_ids, (1, -1), value=bos_id)

    def with_loops(target_ids, bos_id):
        shifted = target_ids.clone()
        for row in range(target_ids.shape[0]):
            for place in range(target_ids.shape[1]):
                shifted[row, place] = target_ids[row, place - 1] if place else bos_id
        return shifted

    def with_lists(target_ids, bos_id):
        rows = [[bos_id, *sentence[:-1]] for sentence in target_ids.tolist()]
        return torch.tensor(rows, dtype=target_ids.dtype, device=target_ids.device)

    def with_where(target_ids, bos_id):
        first = torch.arange(target_ids.shape[1], device=target_ids.device) == 0
        return torch.where(first, torch.full_like(target_ids, bos_id), target_ids.roll(1, -1))

    def with_new_full(target_ids, bos_id):
        return torch.hstack((target_ids.new_full((target_ids.size(0), 1), bos_id), target_ids[:, :-1]))


class SinusoidalPositions:
    answers = "sinusoidal_positions"

    def with_assignment(length, d_model):
        if d_model % 2 != 0:
            raise ValueError("d_model must be even")
        table = torch.zeros(length, d_model)
        position = torch.arange(0, length, dtype=torch.float).unsqueeze(1)
        divisor = torch.exp(torch.arange(0, d_model, 2).float() * (-math.log(10000.0) / d_model))
        table[:, 0::2] = torch.sin(position * divisor)
        table[:, 1::2] = torch.cos(position * divisor)
        return table

    def with_loops(length, d_model):
        if d_model % 2:
            raise ValueError("places come in pairs")
        table = torch.empty(length, d_model)
        for position in range(length):
            for place in range(d_model):
                angle = position / 10000 ** ((place - place % 2) / d_model)
                table[position, place] = math.cos(angle) if place % 2 else math.sin(angle)
        return table

    def with_lists(length, d_model):
        if d_model & 1:
            raise ValueError(f"{d_model} is odd")
        turns = [10000 ** -(2 * pair / d_model) for pair in range(d_model // 2)]
        rows = [[f(p * turn) for turn in turns for f in (math.sin, math.cos)] for p in range(length)]
        return torch.tensor(rows)

    def with_phase(length, d_model):
        if d_model % 2:
            raise ValueError("odd")
        place = torch.arange(d_model, dtype=torch.float64)
        pair = torch.div(place, 2, rounding_mode="floor")
        angle = torch.outer(torch.arange(length, dtype=torch.float64), 10000 ** (-2 * pair / d_model))
        return torch.sin(angle + place % 2 * math.pi / 2).float()

    def with_complex_numbers(length, d_model):
        if d_model % 2 == 1:
            raise ValueError("a pair needs two places")
        pairs = torch.arange(d_model // 2, dtype=torch.float64)
        angle = torch.einsum("p,i->pi", torch.arange(length).double(), 10000 ** (-2 * pairs / d_model))
        clock = torch.polar(torch.ones_like(angle), angle)
        return torch.view_as_real(clock).flip(-1).reshape(length, d_model).to(torch.float32)


class Rotate:
    answers = "rotate"

    def with_rotate_half(x, positions, base=10_000.0):
        if x.shape[-1] % 2:
            raise ValueError("odd")
        d_head = x.shape[-1]
        inverse = 1.0 / (base ** (torch.arange(0, d_head, 2, device=x.device).float() / d_head))
        angle = positions.float().unsqueeze(-1) * inverse
        angle = torch.cat((angle, angle), dim=-1)
        half = torch.cat((-x[..., d_head // 2 :], x[..., : d_head // 2]), dim=-1)
        return x * angle.cos().to(x.dtype) + half * angle.sin().to(x.dtype)

    def with_complex_numbers(x, positions, base=10_000.0):
        if x.size(-1) % 2:
            raise ValueError("odd")
        first, second = x.float().chunk(2, dim=-1)
        pair = torch.arange(x.size(-1) // 2, device=x.device)
        angle = positions.unsqueeze(-1) * torch.pow(base, -2 * pair / x.size(-1))
        turned = torch.complex(first, second) * torch.polar(torch.ones_like(angle), angle)
        return torch.cat([turned.real, turned.imag], dim=-1).to(x.dtype)

    def with_loops(x, positions, base=10_000.0):
        d_head = x.shape[-1]
        if d_head % 2 == 1:
            raise ValueError("an odd number of places")
        half, places = d_head // 2, [None] * d_head
        for i in range(half):
            angle = positions.double() * base ** (-2 * i / d_head)
            cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
            places[i] = x[..., i] * cos - x[..., i + half] * sin
            places[i + half] = x[..., i + half] * cos + x[..., i] * sin
        return torch.stack(places, dim=-1)

    def with_matrices(x, positions, base=10_000.0):
        d_head = x.shape[-1]
        if d_head % 2:
            raise ValueError("odd")
        pair = torch.arange(d_head // 2, dtype=torch.float64, device=x.device)
        angle = positions[..., None].double() * base ** (-2 * pair / d_head)
        rows = [torch.stack([angle.cos(), -angle.sin()], -1), torch.stack([angle.sin(), angle.cos()], -1)]
        matrix = torch.stack(rows, dim=-2).float()  # (..., pair, 2, 2)
        pairs = x.float().unflatten(-1, (2, d_head // 2)).transpose(-1, -2)
        turned = torch.einsum("...pij,...pj->...pi", matrix, pairs)
        return turned.transpose(-1, -2).flatten(-2).to(x.dtype)

    def with_views(x, positions, base=10_000.0):
        *shape, d_head = x.shape
        if d_head % 2:
            raise ValueError("odd")
        halves = x.reshape(*shape, 2, d_head // 2)
        speed = torch.exp(torch.arange(0, d_head, 2, device=x.device) * (-math.log(base) / d_head))
        angle = (positions[..., None] * speed)[..., None, :]
        cos, sin = angle.cos().to(x), angle.sin().to(x)
        sign = torch.tensor([[-1.0], [1.0]], dtype=x.dtype, device=x.device)
        return (halves * cos + halves.flip(-2) * sign * sin).reshape(x.shape)

    def into_a_new_tensor(x, positions, base=10_000.0):
        if x.shape[-1] % 2:
            raise ValueError("odd")
        half = x.shape[-1] // 2
        power = torch.linspace(0, 1, half + 1, device=x.device)[:-1]
        angle = positions.to(torch.float32)[..., None] / base**power
        result = torch.zeros_like(x)
        result[..., :half] = x[..., :half] * angle.cos() - x[..., half:] * angle.sin()
        result[..., half:] = x[..., half:] * angle.cos() + x[..., :half] * angle.sin()
        return result


class DecoderInput:
    answers = "DecoderInput"

    class with_kept_buffer(nn.Module):
        def __init__(self, vocab_size, d_model, max_length, dropout=0.0):
            super().__init__()
            self.embedding = nn.Embedding(vocab_size, d_model)
            self.scale = math.sqrt(d_model)
            self.max_length = max_length
            self.register_buffer("table", sinusoidal_positions(max_length, d_model)[None])
            self.p = dropout

        def forward(self, token_ids, start=0):
            batch, length = token_ids.shape
            if start + length > self.max_length:
                raise ValueError(f"there are {self.max_length} positions")
            x = self.scale * self.embedding(token_ids)
            x = x + self.table[:, start : start + length].expand(batch, -1, -1)
            return F.dropout(x, self.p, self.training)

    class computed_each_time(nn.Module):
        def __init__(self, vocab_size, d_model, max_length, dropout=0.0):
            super().__init__()
            self.embedding = nn.Embedding(vocab_size, d_model)
            self.d_model, self.max_length = d_model, max_length
            self.dropout = nn.Dropout(p=dropout)

        def forward(self, token_ids, start=0):
            end = start + token_ids.size(1)
            if end > self.max_length:
                raise ValueError("beyond max_length")
            tokens = self.embedding(token_ids).mul(self.d_model**0.5)
            return self.dropout(tokens.add(sinusoidal_positions(end, self.d_model)[start:end].to(tokens)))

    class with_one_hot(nn.Module):
        def __init__(self, vocab_size, d_model, max_length, dropout=0.0):
            super().__init__()
            self.embedding = nn.Linear(d_model, vocab_size, bias=False)
            self.register_buffer("positions", sinusoidal_positions(max_length, d_model), persistent=False)
            self.dropout = nn.Dropout(dropout)

        def forward(self, token_ids, start=0):
            weight = self.embedding.weight
            if len(self.positions) < start + token_ids.shape[-1]:
                raise ValueError("too many tokens")
            chosen = F.one_hot(token_ids.long(), len(weight)).to(weight.dtype) @ weight
            chosen = chosen * torch.tensor(weight.shape[1]).sqrt().to(weight)
            return self.dropout(chosen + self.positions.narrow(0, start, token_ids.shape[-1]))

    class with_indices(nn.Module):
        def __init__(self, vocab_size, d_model, max_length, dropout=0.0):
            super().__init__()
            self.embedding = nn.Embedding(vocab_size, d_model, scale_grad_by_freq=False)
            nn.init.normal_(self.embedding.weight, mean=0.0, std=1 / math.sqrt(d_model))
            self.register_buffer("positions", sinusoidal_positions(max_length, d_model))
            self.register_buffer("counts", torch.arange(max_length))
            self.dropout = nn.Dropout(dropout)

        def forward(self, token_ids, start=0):
            counts = self.counts[start : start + token_ids.shape[1]]
            if len(counts) < token_ids.shape[1]:
                raise ValueError("longer than max_length")
            x = F.embedding(token_ids, self.embedding.weight)
            x = x * x.shape[-1] ** 0.5
            return self.dropout(x + F.embedding(counts, self.positions))

    class with_a_module_for_positions(nn.Module):
        def __init__(self, vocab_size, d_model, max_length, dropout=0.0):
            super().__init__()
            self.embedding = nn.Embedding(vocab_size, d_model)
            self.positions = nn.Module()
            self.positions.register_buffer("table", sinusoidal_positions(max_length, d_model))
            self.after = nn.Sequential(nn.Dropout(dropout))

        def forward(self, token_ids, start=0):
            table = self.positions.table[start:]
            if token_ids.shape[1] > table.shape[0]:
                raise ValueError(f"{token_ids.shape[1]} tokens from {start}")
            rows = [
                self.embedding(token_ids[:, i]) * self.embedding.embedding_dim**0.5 + table[i]
                for i in range(token_ids.shape[1])
            ]
            return self.after(torch.stack(rows, dim=1))
