"""The exercises of chapter 03, answered in other ways. All of them are right."""

import math

import torch

from solutions.masks import causal_mask, padding_mask


class CausalMask:
    answers = "causal_mask"

    def with_tril(length):
        return torch.ones(length, length, dtype=torch.bool).tril()

    def with_triu(length):
        future = torch.triu(torch.ones(length, length), diagonal=1)
        return future == 0

    def with_loops(length):
        mask = torch.zeros(length, length, dtype=torch.bool)
        for query in range(length):
            for key in range(query + 1):
                mask[query, key] = True
        return mask

    def with_lists(length):
        return torch.tensor([[key <= query for key in range(length)] for query in range(length)])

    def with_cumsum(length):
        return torch.eye(length).cumsum(dim=0).bool()

    def with_indices(length):
        query, key = torch.tril_indices(length, length)
        mask = torch.full((length, length), False)
        mask[query, key] = True
        return mask


class PaddingMask:
    answers = "padding_mask"

    def with_view(token_ids, pad_id):
        return token_ids.ne(pad_id).view(token_ids.shape[0], 1, 1, -1)

    def with_unsqueeze(token_ids, pad_id):
        return (~(token_ids == pad_id)).unsqueeze(1).unsqueeze(1)

    def with_loops(token_ids, pad_id):
        batch, length = token_ids.shape
        mask = torch.ones(batch, 1, 1, length, dtype=torch.bool, device=token_ids.device)
        for sentence in range(batch):
            for key in range(length):
                if token_ids[sentence, key] == pad_id:
                    mask[sentence, 0, 0, key] = False
        return mask

    def with_lists(token_ids, pad_id):
        real = [[[[token != pad_id for token in sentence]]] for sentence in token_ids.tolist()]
        return torch.tensor(real, device=token_ids.device)

    def with_where(token_ids, pad_id):
        mask = torch.where(token_ids == pad_id, 0, 1).to(torch.bool)
        return mask[:, None, None]


class DecoderMask:
    answers = "decoder_mask"

    def with_tril(target_ids, pad_id):
        length = target_ids.shape[1]
        real = (target_ids != pad_id)[:, None, None, :].expand(-1, 1, length, length)
        return real.tril()

    def with_logical_and(target_ids, pad_id):
        causal = causal_mask(target_ids.size(1)).to(target_ids.device)
        return torch.logical_and(causal[None, None], padding_mask(target_ids, pad_id))

    def with_einsum(target_ids, pad_id):
        length = target_ids.shape[1]
        causal = torch.ones(length, length, device=target_ids.device).tril()
        real = (target_ids != pad_id).float()
        return torch.einsum("qk,bk->bqk", causal, real).bool().unsqueeze(1)

    def with_loops(target_ids, pad_id):
        batch, length = target_ids.shape
        mask = torch.zeros(batch, 1, length, length, dtype=torch.bool, device=target_ids.device)
        for sentence in range(batch):
            for query in range(length):
                for key in range(query + 1):
                    mask[sentence, 0, query, key] = target_ids[sentence, key] != pad_id
        return mask

    def with_what_is_hidden(target_ids, pad_id):
        position = torch.arange(target_ids.shape[1], device=target_ids.device)
        future = position[None, :] > position[:, None]
        hidden = future | (target_ids == pad_id)[:, None, None, :]
        return ~hidden


class MemoryMask:
    answers = "memory_mask"

    def with_reshape(source_ids, pad_id):
        batch, length = source_ids.shape
        return (source_ids != pad_id).reshape(batch, 1, 1, length)

    def with_unsqueeze(source_ids, pad_id):
        return torch.logical_not(source_ids == pad_id).unsqueeze(-2).unsqueeze(-2)

    def with_loops(source_ids, pad_id):
        rows = [torch.stack([token != pad_id for token in sentence]) for sentence in source_ids]
        return torch.stack(rows)[:, None, None, :]

    def with_arithmetic(source_ids, pad_id):
        return (source_ids - pad_id).bool()[:, None, None, :]


class PrefixMask:
    answers = "prefix_mask"

    def with_blocks(prefix_lengths, length):
        position = torch.arange(length, device=prefix_lengths.device)
        inside = position < prefix_lengths[:, None]
        block = inside[:, :, None] & inside[:, None, :]
        return (block | (position[:, None] >= position))[:, None]

    def with_largest_visible(prefix_lengths, length):
        position = torch.arange(length, device=prefix_lengths.device)
        last_visible = torch.maximum(position[None, :], prefix_lengths[:, None] - 1)
        return (position <= last_visible[:, :, None])[:, None]

    def with_loops(prefix_lengths, length):
        mask = torch.zeros(
            len(prefix_lengths), 1, length, length, dtype=torch.bool, device=prefix_lengths.device
        )
        for sentence, prefix in enumerate(prefix_lengths.tolist()):
            mask[sentence, 0] = torch.tril(torch.ones(length, length))
            mask[sentence, 0, :, :prefix] = True
        return mask

    def with_where(prefix_lengths, length):
        causal = causal_mask(length).to(prefix_lengths.device)
        prefix = torch.arange(length, device=prefix_lengths.device).expand(len(prefix_lengths), length)
        in_prefix = (prefix < prefix_lengths.unsqueeze(1)).unsqueeze(1).unsqueeze(1)
        return torch.where(in_prefix, torch.ones_like(causal), causal)

    def with_stack(prefix_lengths, length):
        masks = []
        for prefix in prefix_lengths:
            key = torch.arange(length, device=prefix.device)
            query = key.unsqueeze(1)
            masks.append(((key < prefix) | (key <= query)).unsqueeze(0))
        return torch.stack(masks)


class AdditiveMask:
    answers = "additive_mask"

    def with_where(mask, dtype):
        nothing = torch.zeros((), dtype=dtype, device=mask.device)
        return torch.where(mask, nothing, nothing - math.inf)

    def with_full(mask, dtype):
        return torch.full(mask.shape, -math.inf, dtype=dtype, device=mask.device).masked_fill(mask, 0)

    def with_logarithm(mask, dtype):
        return mask.to(dtype).log()

    def with_assignment(mask, dtype):
        additive = torch.zeros_like(mask, dtype=dtype)
        additive[~mask] = float("-inf")
        return additive

    def with_conversion(mask, dtype):
        additive = torch.zeros(mask.shape, device=mask.device)
        additive.masked_fill_(mask.logical_not(), float("-inf"))
        return additive.to(dtype)


class MaskedSoftmax:
    answers = "masked_softmax"

    def with_exponentials(scores, mask):
        hidden = scores.masked_fill(~mask, -math.inf)
        largest = hidden.amax(dim=-1, keepdim=True)
        largest = torch.where(largest == -math.inf, 0.0, largest)
        exponentials = (hidden - largest).exp()
        total = exponentials.sum(dim=-1, keepdim=True)
        return exponentials / torch.where(total == 0, 1.0, total)

    def with_additive_mask(scores, mask):
        anywhere = mask.any(dim=-1, keepdim=True)
        additive = torch.zeros(mask.shape, dtype=scores.dtype, device=scores.device)
        additive = additive.masked_fill(~mask & anywhere, -math.inf)
        return torch.softmax(scores + additive, dim=-1) * anywhere

    def with_nan_to_num(scores, mask):
        return scores.masked_fill(~mask, -math.inf).softmax(-1).nan_to_num(0.0)

    def with_smallest_number(scores, mask):
        filled = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        return filled.softmax(dim=-1) * mask

    def with_float32_inside(scores, mask):
        exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
        weights = exact.masked_fill(~mask, -math.inf).softmax(dim=-1)
        return weights.masked_fill(~mask, 0.0).to(scores.dtype)

    def with_logsumexp(scores, mask):
        hidden = torch.where(mask, scores, -math.inf)
        empty = ~mask.any(dim=-1, keepdim=True)
        hidden = hidden.masked_fill(empty, 0.0)
        return (hidden - hidden.logsumexp(dim=-1, keepdim=True)).exp().masked_fill(~mask, 0.0)
