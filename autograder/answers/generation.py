"""The exercises of chapter 08, answered in other ways. All of them are right."""

import torch
from torch.nn import functional as F

from solutions.generation import KeyValueCache as Reference
from solutions.generation import keep_likely

NEVER = float("-inf")


class JoinedAtEachStep(Reference):
    def append(self, key, value):
        if self.length + key.shape[2] > self.max_length:
            raise ValueError("full")
        if self.key is not None:
            key, value = torch.cat([self.key, key], dim=-2), torch.cat([self.value, value], dim=-2)
        self.key, self.value, self.length = key, value, key.shape[-2]
        return key, value

    def reorder(self, rows):
        if self.length:
            self.key, self.value = self.key[rows], self.value[rows]


class ListOfPieces(Reference):
    def __init__(self, max_length):
        self.max_length, self.length = max_length, 0
        self.pieces = []

    def append(self, key, value):
        if self.length + key.size(2) > self.max_length:
            raise ValueError
        self.pieces.append((key, value))
        self.length = sum(k.size(2) for k, _ in self.pieces)
        keys, values = zip(*self.pieces, strict=True)
        return torch.cat(keys, 2), torch.cat(values, 2)

    def reorder(self, rows):
        self.pieces = [(k.index_select(0, rows), v.index_select(0, rows)) for k, v in self.pieces]


class RoomOfZeros(Reference):
    def __init__(self, max_length):
        self.max_length = max_length
        self.length = 0
        self.key, self.value = None, None

    def append(self, key, value):
        batch, heads, new, d_head = key.shape
        if self.length + new > self.max_length:
            raise ValueError("no room")
        if self.key is None:
            like = {"dtype": key.dtype, "device": key.device}
            self.key = torch.zeros(batch, heads, self.max_length, d_head, **like)
            self.value = torch.zeros(batch, heads, self.max_length, value.shape[-1], **like)
        self.key.narrow(2, self.length, new).copy_(key)
        self.value.narrow(2, self.length, new).copy_(value)
        self.length += new
        return self.key.narrow(2, 0, self.length), self.value.narrow(2, 0, self.length)

    def reorder(self, rows):
        if self.key is None:
            return
        self.key = self.key.index_select(0, rows)
        self.value = self.value.index_select(0, rows)


class OneTensor(Reference):
    def __init__(self, max_length):
        self.max_length, self.both = max_length, None

    @property
    def length(self):
        return 0 if self.both is None else self.both.shape[3]

    def append(self, key, value):
        new = torch.stack([key, value])
        if self.length + key.shape[2] > self.max_length:
            raise ValueError(f"room for {self.max_length}")
        self.both = new if self.both is None else torch.cat([self.both, new], dim=3)
        return tuple(self.both)

    def reorder(self, rows):
        if self.both is not None:
            self.both = self.both[:, rows]


class KeyValueCache:
    answers = "KeyValueCache"

    joined_at_each_step = JoinedAtEachStep
    list_of_pieces = ListOfPieces
    room_of_zeros = RoomOfZeros
    one_tensor = OneTensor


class KeepLikely:
    answers = "keep_likely"

    def by_rank(logits, top_k=None, top_p=None):
        order = logits.argsort(dim=-1, descending=True, stable=True)
        rank = order.argsort(dim=-1)
        if top_k is not None:
            logits = torch.where(rank < top_k, logits, NEVER)
        if top_p is not None:
            likely = logits.softmax(dim=-1).gather(-1, order)
            before = (likely.cumsum(dim=-1) - likely).gather(-1, rank)
            logits = torch.where((before < top_p) | (rank == 0), logits, NEVER)
        return logits.clone()

    def with_loops(logits, top_k=None, top_p=None):
        kept = torch.full_like(logits, NEVER)
        for row, values in enumerate(logits.tolist()):
            order = sorted(range(len(values)), key=lambda i: (-values[i], i))
            order = order[: len(values) if top_k is None else top_k]
            if top_p is not None:
                weights = logits[row, order].softmax(dim=-1).tolist()
                total, enough = 0.0, 0
                while enough < len(order) and (enough == 0 or total < top_p):
                    total, enough = total + weights[enough], enough + 1
                order = order[:enough]
            for i in order:
                kept[row, i] = logits[row, i]
        return kept

    def with_shifted_sum(logits, top_k=None, top_p=None):
        ordered, order = torch.sort(logits, dim=-1, descending=True, stable=True)
        drop = torch.zeros_like(ordered, dtype=torch.bool)
        if top_k is not None:
            drop[..., top_k:] = True
        if top_p is not None:
            reached = ordered.masked_fill(drop, NEVER).softmax(dim=-1).cumsum(dim=-1) >= top_p
            drop |= F.pad(reached[..., :-1], (1, 0), value=False)
        mask = torch.zeros_like(drop).scatter(-1, order, drop)
        return logits.masked_fill(mask, NEVER)

    def row_by_row(logits, top_k=None, top_p=None):
        rows = []
        for row in logits:
            order = row.argsort(descending=True, stable=True)
            if top_k is not None:
                order = order[:top_k]
            if top_p is not None:
                likely = row[order].softmax(dim=0)
                number = int((likely.cumsum(dim=0) < top_p).sum()) + 1
                order = order[:number]
            kept = torch.full_like(row, NEVER)
            kept[order] = row[order]
            rows.append(kept)
        return torch.stack(rows)


class SampleToken:
    answers = "sample_token"

    def with_probabilities(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if not temperature:
            return torch.argmax(logits, -1)
        likely = F.softmax(keep_likely(logits / temperature, top_k, top_p), dim=-1)
        return torch.multinomial(likely, num_samples=1, generator=generator).squeeze(-1)

    def by_the_sum(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(-1)
        likely = keep_likely(logits / temperature, top_k, top_p).double().softmax(-1)
        chance = torch.rand(len(logits), 1, generator=generator, device=logits.device).double()
        total = likely.cumsum(-1)
        return (total <= chance * total[:, -1:]).sum(-1)

    def with_gumbel_noise(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return logits.argmax(dim=-1)
        kept = keep_likely(logits / temperature, top_k, top_p)
        noise = torch.empty_like(logits).exponential_(generator=generator)
        return (kept - noise.log()).argmax(dim=-1)

    def row_by_row(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
        if temperature == 0:
            return torch.stack([row.argmax() for row in logits])
        kept = keep_likely(logits / temperature, top_k, top_p)
        drawn = [torch.multinomial(row.softmax(0), 1, generator=generator) for row in kept]
        return torch.cat(drawn)


class Greedy:
    answers = "greedy"

    @torch.no_grad()
    def all_anew(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        memory = model.encode(source_ids)
        written = torch.full_like(source_ids[:, :1], begin_id)
        running = torch.ones(len(written), dtype=torch.bool)
        for place in range(max_length):
            logits = model.head(model.decode(written, memory, source_ids)[:, -1])
            logits[:, model.pad_id] = NEVER
            following = logits.argmax(dim=-1).where(running, model.pad_id)
            if prefix_ids is not None and place < prefix_ids.shape[1]:
                given = prefix_ids[:, place]
                following = torch.where(given != model.pad_id, given, following)
            written = torch.cat([written, following[:, None]], dim=1)
            running &= following != end_id
            if not running.any():
                break
        return written[:, 1:]

    def row_by_row(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        rows = []
        for index, source in enumerate(source_ids):
            row = [] if prefix_ids is None else prefix_ids[index].tolist()
            row = [token for token in row if token != model.pad_id]
            while len(row) < max_length and row[-1:] != [end_id]:
                logits = model(source[None], torch.tensor([[begin_id, *row]]))[0, -1]
                logits = logits.detach().clone()
                logits[model.pad_id] = NEVER
                row.append(logits.argmax().item())
            rows.append(row)
        longest = max(len(row) for row in rows)
        return torch.tensor([row + [model.pad_id] * (longest - len(row)) for row in rows])

    @torch.no_grad()
    def into_a_table(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        batch = source_ids.shape[0]
        table = torch.full((batch, max_length + 1), model.pad_id)
        table[:, 0] = begin_id
        done = torch.zeros(batch, dtype=torch.bool)
        if prefix_ids is not None:
            table[:, 1 : prefix_ids.shape[1] + 1] = prefix_ids[:, :max_length]
        for place in range(1, max_length + 1):
            logits = model(source_ids, table[:, :place])[:, -1]
            logits = logits.masked_fill(torch.arange(logits.shape[1]) == model.pad_id, NEVER)
            open_places = (table[:, place] == model.pad_id) & ~done
            table[open_places, place] = logits.argmax(-1)[open_places]
            done = done | (table[:, place] == end_id)
            if done.all():
                break
        return table[:, 1 : place + 1]

    @torch.no_grad()
    def with_scores(model, source_ids, begin_id, end_id, max_length, prefix_ids=None):
        memory, rows = model.encode(source_ids), [[begin_id] for _ in source_ids]
        given = [[]] * len(rows) if prefix_ids is None else prefix_ids.tolist()
        while len(rows[0]) <= max_length:
            likely = model.head(model.decode(torch.tensor(rows), memory, source_ids)[:, -1]).softmax(-1)
            likely[:, model.pad_id] = 0.0
            choice = likely.topk(1, dim=-1).indices[:, 0].tolist()
            for row, prefix, best in zip(rows, given, choice, strict=True):
                place = len(row) - 1
                if end_id in row[1:]:
                    best = model.pad_id
                elif place < len(prefix) and prefix[place] != model.pad_id:
                    best = prefix[place]
                row.append(best)
            if all(end_id in row[1:] for row in rows):
                break
        return torch.tensor(rows)[:, 1:]


def finished(found, pad_id):
    """Rows of tokens as one tensor."""
    longest = max(map(len, found))
    return torch.tensor([row + [pad_id] * (longest - len(row)) for row in found])


class BeamSearch:
    answers = "beam_search"

    @torch.no_grad()
    def source_by_source(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        found = []
        for source in source_ids:
            beams, ended = [(0.0, ())], []
            for length in range(1, max_length + 1):
                read = torch.tensor([(begin_id, *tokens) for _, tokens in beams])
                likely = model(source.expand(len(beams), -1), read)[:, -1].log_softmax(-1)
                likely[:, model.pad_id] = NEVER
                ways = [
                    (score + more, (*tokens, token))
                    for (score, tokens), row in zip(beams, likely.tolist(), strict=True)
                    for token, more in enumerate(row)
                ]
                ways = sorted(ways, reverse=True)[: 2 * n_beams]
                last = length == max_length
                for score, tokens in ways[:n_beams]:
                    if last or tokens[-1] == end_id:
                        ended.append((score / length**length_penalty, tokens))
                ended = sorted(ended, reverse=True)[:n_beams]
                beams = [way for way in ways if way[1][-1] != end_id][:n_beams]
                best = beams[0][0] / length**length_penalty
                if len(ended) == n_beams and best <= ended[-1][0]:
                    break
            found.append(list(ended[0][1]))
        return finished(found, model.pad_id)

    @torch.no_grad()
    def with_a_memory_made_once(
        model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0
    ):
        found = []
        for source in source_ids.split(1):
            memory = model.encode(source)
            tokens = torch.empty(1, 0, dtype=torch.long)
            sums, ended = torch.zeros(1), []
            for length in range(1, max_length + 1):
                begun = F.pad(tokens, (1, 0), value=begin_id)
                copies = len(begun)
                states = model.decode(begun, memory.expand(copies, -1, -1), source.expand(copies, -1))
                likely = model.head(states[:, -1]).log_softmax(dim=-1)
                likely[:, model.pad_id] = NEVER
                every = (sums[:, None] + likely).view(-1)
                best, places = every.topk(min(2 * n_beams, every.numel()))
                rows, chosen = places // likely.shape[1], places % likely.shape[1]
                longer = torch.cat([tokens[rows], chosen[:, None]], dim=1)
                over = (chosen == end_id) | (length == max_length)
                for rank in range(min(n_beams, len(best))):
                    if over[rank]:
                        ended.append((best[rank].item() / length**length_penalty, longer[rank].tolist()))
                ended = sorted(ended, key=lambda one: one[0], reverse=True)[:n_beams]
                if over.all():
                    break
                tokens, sums = longer[~over][:n_beams], best[~over][:n_beams]
                hope = sums[0].item() / length**length_penalty
                if len(ended) >= n_beams and hope <= ended[-1][0]:
                    break
            found.append(ended[0][1])
        return finished(found, model.pad_id)

    @torch.no_grad()
    def with_a_heap(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        found = []
        for source in source_ids:
            alive, closed = {(): 0.0}, {}
            for size in range(max_length):
                starts = list(alive)
                scores = model(
                    source.repeat(len(starts), 1), torch.tensor([[begin_id, *start] for start in starts])
                )
                scores = torch.log_softmax(scores[:, -1, :], dim=-1)
                scores[:, model.pad_id] = NEVER
                scores = scores + torch.tensor([alive[start] for start in starts]).unsqueeze(1)
                values, at = torch.topk(scores.reshape(-1), min(2 * n_beams, scores.numel()))
                following = {}
                for rank, (value, index) in enumerate(zip(values.tolist(), at.tolist(), strict=True)):
                    target = (*starts[index // scores.shape[1]], index % scores.shape[1])
                    if target[-1] == end_id or size + 1 == max_length:
                        if rank < n_beams:
                            closed[target] = value * (size + 1) ** -length_penalty
                    elif len(following) < n_beams:
                        following[target] = value
                kept = sorted(closed, key=closed.get, reverse=True)[:n_beams]
                closed = {target: closed[target] for target in kept}
                alive = following
                if not alive:
                    break
                hope = max(alive.values()) * (size + 1) ** -length_penalty
                if len(closed) == n_beams and hope <= min(closed.values()):
                    break
            found.append(list(max(closed, key=closed.get)))
        return finished(found, model.pad_id)

    @torch.no_grad()
    def as_one_batch(model, source_ids, begin_id, end_id, max_length, n_beams=4, length_penalty=1.0):
        batch = len(source_ids)
        many = source_ids.repeat_interleave(n_beams, dim=0)
        memory = model.encode(source_ids).repeat_interleave(n_beams, dim=0)
        read = torch.full((batch * n_beams, 1), begin_id)
        sums = torch.full((batch, n_beams), NEVER)
        sums[:, 0] = 0.0
        ended, done = [[] for _ in range(batch)], [False] * batch
        for length in range(1, max_length + 1):
            likely = model.head(model.decode(read, memory, many)[:, -1]).log_softmax(-1)
            likely[:, model.pad_id] = NEVER
            size = likely.shape[-1]
            every = (sums.view(-1, 1) + likely).view(batch, -1)
            best, places = every.topk(2 * n_beams, dim=-1)
            rows, fresh = [], []
            for source in range(batch):
                going = []
                for rank in range(2 * n_beams):
                    row = source * n_beams + places[source, rank].item() // size
                    token = places[source, rank].item() % size
                    score = best[source, rank].item()
                    over = token == end_id or length == max_length
                    if over and rank < n_beams and not done[source]:
                        target = [*read[row, 1:].tolist(), token]
                        ended[source].append((score / length**length_penalty, target))
                    if not over and len(going) < n_beams:
                        going.append((score, row, token))
                ended[source] = sorted(ended[source], key=lambda one: -one[0])[:n_beams]
                going += [(NEVER, source * n_beams, end_id)] * (n_beams - len(going))
                hope = going[0][0] / length**length_penalty
                full = len(ended[source]) == n_beams
                done[source] = done[source] or (full and hope <= ended[source][-1][0])
                sums[source] = torch.tensor([score for score, _, _ in going])
                rows += [row for _, row, _ in going]
                fresh += [token for _, _, token in going]
            read = torch.cat([read[rows], torch.tensor(fresh)[:, None]], dim=1)
            if all(done):
                break
        return finished([targets[0][1] for targets in ended], model.pad_id)
