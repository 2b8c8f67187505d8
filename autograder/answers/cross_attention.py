"""The exercises of chapter 05, answered in other ways. All of them are right."""

import torch
from torch import nn
from torch.nn import functional as F

from solutions.cross_attention import CrossAttention as Reference
from solutions.masks import masked_softmax
from solutions.self_attention import attention, merge_heads, split_heads


class CrossAttention:
    answers = "CrossAttention"

    class with_attention(nn.Module):
        def __init__(self, d_model, n_heads, dropout=0.0):
            super().__init__()
            if d_model % n_heads != 0:
                raise ValueError("d_model must be a multiple of n_heads")
            self.heads = n_heads
            self.query = nn.Linear(d_model, d_model)
            self.key = nn.Linear(d_model, d_model)
            self.value = nn.Linear(d_model, d_model)
            self.output = nn.Linear(d_model, d_model)
            self.drop = nn.Dropout(dropout)

        def project_memory(self, memory):
            return [split_heads(layer(memory), self.heads) for layer in (self.key, self.value)]

        def attend(self, x, key, value, mask=None):
            _, weights = attention(split_heads(self.query(x), self.heads), key, value, mask)
            return self.output(merge_heads(self.drop(weights) @ value))

        def forward(self, x, memory, mask=None):
            key, value = self.project_memory(memory)
            return self.attend(x, key, value, mask)

    class with_einsum(nn.Module):
        def __init__(self, d_model, n_heads, dropout=0.0):
            if d_model % n_heads:
                raise ValueError(f"{n_heads} heads do not divide {d_model}")
            super().__init__()
            self.n_heads, self.d_head = n_heads, d_model // n_heads
            self.p = dropout
            self.output = nn.Linear(d_model, d_model)
            self.value = nn.Linear(d_model, d_model)
            self.key = nn.Linear(d_model, d_model)
            self.query = nn.Linear(d_model, d_model)

        def project_memory(self, memory):
            batch, source, _ = memory.shape
            shape = (batch, source, self.n_heads, self.d_head)
            key = self.key(memory).reshape(shape).permute(0, 2, 1, 3)
            value = self.value(memory).reshape(shape).permute(0, 2, 1, 3)
            return key.contiguous(), value.contiguous()

        def attend(self, x, key, value, mask=None):
            query = self.query(x).unflatten(-1, (self.n_heads, self.d_head))
            scores = torch.einsum("bthd,bhsd->bhts", query, key) / self.d_head**0.5
            weights = scores.softmax(-1) if mask is None else masked_softmax(scores, mask)
            weights = F.dropout(weights, p=self.p, training=self.training)
            return self.output(torch.einsum("bhts,bhsd->bthd", weights, value).flatten(2))

        def forward(self, x, memory, mask=None):
            return self.attend(x, *self.project_memory(memory), mask=mask)

    class one_head_at_a_time(nn.Module):
        def __init__(self, d_model, n_heads, dropout=0.0):
            super().__init__()
            if d_model % n_heads:
                raise ValueError("uneven")
            self.n_heads, self.dropout = n_heads, dropout
            for name in ("query", "key", "value", "output"):
                setattr(self, name, nn.Linear(d_model, d_model))

        def project_memory(self, memory):
            keys = self.key(memory).chunk(self.n_heads, dim=-1)
            values = self.value(memory).chunk(self.n_heads, dim=-1)
            return torch.stack(keys, dim=1), torch.stack(values, dim=1)

        def attend(self, x, key, value, mask=None):
            if mask is not None:
                mask = mask.expand(len(x), self.n_heads, x.shape[1], key.shape[2])
            found = []
            for head, query in enumerate(self.query(x).chunk(self.n_heads, dim=-1)):
                scores = torch.bmm(query, key[:, head].transpose(1, 2)) / query.shape[-1] ** 0.5
                if mask is None:
                    weights = torch.softmax(scores, dim=-1)
                else:
                    weights = masked_softmax(scores, mask[:, head])
                weights = F.dropout(weights, self.dropout, self.training)
                found.append(torch.bmm(weights, value[:, head]))
            return self.output(torch.cat(found, dim=-1))

        def forward(self, x, memory, mask=None):
            return self.attend(x, *self.project_memory(memory), mask)

    class with_two_paths(Reference):
        def forward(self, x, memory, mask=None):
            batch, target, d_model = x.shape
            shape = (batch, -1, self.n_heads, d_model // self.n_heads)
            query = self.query(x).view(shape).transpose(1, 2)
            weight = torch.cat([self.key.weight, self.value.weight])
            bias = torch.cat([self.key.bias, self.value.bias])
            key, value = F.linear(memory, weight, bias).chunk(2, dim=-1)
            key, value = key.reshape(shape).transpose(1, 2), value.reshape(shape).transpose(1, 2)
            p = self.dropout if self.training else 0.0
            heads = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=p)
            return self.output(heads.transpose(1, 2).reshape(batch, target, d_model))

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
            return x.reshape(batch, length, self.n_heads, self.d_head).transpose(1, 2)

        def project_memory(self, memory):
            return self.split(self.key(memory)), self.split(self.value(memory))

        def attend(self, x, key, value, mask=None):
            query = self.split(self.query(x))
            full = (*query.shape[:3], key.shape[2])
            scores = torch.bmm(query.flatten(0, 1), key.flatten(0, 1).mT) * self.d_head**-0.5
            if mask is not None:
                mask = mask.expand(full).flatten(0, 1)
                anywhere = mask.any(dim=-1, keepdim=True)
                scores = scores.masked_fill(~mask & anywhere, -torch.inf)
            weights = scores.softmax(dim=-1)
            if mask is not None:
                weights = weights * anywhere
            heads = torch.bmm(self.attention_dropout(weights), value.flatten(0, 1))
            heads = heads.view(*full[:3], self.d_head).transpose(1, 2)
            return self.output(heads.reshape(x.shape))

        def forward(self, x, memory, mask=None):
            return self.attend(x, *self.project_memory(memory), mask)

    class with_float32_inside(Reference):
        def attend(self, x, key, value, mask=None):
            query = split_heads(self.query(x), self.n_heads).float()
            scores = query @ key.float().mT / query.shape[-1] ** 0.5
            weights = scores.softmax(dim=-1) if mask is None else masked_softmax(scores, mask)
            weights = F.dropout(weights, self.dropout, self.training)
            return self.output(merge_heads(weights @ value.float()).to(x.dtype))


class Alignment:
    answers = "alignment"

    def with_sum(weights):
        return weights.sum(dim=1) / weights.shape[1]

    def with_einsum(weights):
        return torch.einsum("bhts->bts", weights) / weights.size(1)

    def with_a_loop(weights):
        total = torch.zeros_like(weights[:, 0])
        for head in range(weights.shape[1]):
            total = total + weights[:, head]
        return total / weights.shape[1]

    def with_stack(weights):
        return torch.stack(weights.unbind(dim=1)).mean(dim=0)

    def with_float32_inside(weights):
        return torch.mean(weights, dim=-3, dtype=torch.float64).to(weights.dtype)

    def sentence_by_sentence(weights):
        return torch.stack([sentence.mean(0) for sentence in weights])


class WordAlignment:
    answers = "word_alignment"

    def with_loops(weights, target_words, source_words):
        words = weights.new_zeros(max(target_words) + 1, max(source_words) + 1)
        tokens = [list(target_words).count(word) for word in range(len(words))]
        for i, target in enumerate(target_words):
            for j, source in enumerate(source_words):
                words[target, source] += weights[i, j] / tokens[target]
        return words

    def with_index_add(weights, target_words, source_words):
        target = torch.tensor(list(target_words), device=weights.device)
        source = torch.tensor(list(source_words), device=weights.device)
        columns = weights.new_zeros(len(weights), max(source_words) + 1)
        columns = columns.index_add(1, source, weights)
        rows = weights.new_zeros(max(target_words) + 1, columns.shape[1]).index_add(0, target, columns)
        tokens = torch.bincount(torch.tensor(list(target_words))).to(weights)
        return rows / tokens[:, None]

    def with_lists(weights, target_words, source_words):
        rows = []
        for word in range(max(target_words) + 1):
            row = weights[[token for token, of in enumerate(target_words) if of == word]].mean(dim=0)
            parts = [
                row[[token for token, of in enumerate(source_words) if of == other]].sum()
                for other in range(max(source_words) + 1)
            ]
            rows.append(torch.stack(parts))
        return torch.stack(rows)

    def with_masks(weights, target_words, source_words):
        target = torch.tensor(target_words).to(weights.device)
        source = torch.tensor(source_words).to(weights.device)
        looking = target == torch.arange(max(target_words) + 1, device=weights.device)[:, None]
        seen = source[:, None] == torch.arange(max(source_words) + 1, device=weights.device)
        total = looking.to(weights.dtype) @ weights @ seen.to(weights.dtype)
        return total / looking.sum(dim=1, keepdim=True).to(weights.dtype)

    def with_sets(weights, target_words, source_words):
        words = torch.zeros(
            len(set(target_words)), len(set(source_words)), dtype=weights.dtype, device=weights.device
        )
        for word in sorted(set(target_words)):
            rows = [weights[i] for i in range(len(target_words)) if target_words[i] == word]
            for j, other in enumerate(source_words):
                words[word, other] += sum(row[j] for row in rows) / len(rows)
        return words
