"""Random inputs for the checks: the same for the same seed, small enough that nothing saturates."""

import hashlib

import torch
from torch import Tensor


class Draw:
    """Random inputs, the same for the same seed.

    >>> Draw("course key", "ada").integer(1, 6) == Draw("course key", "ada").integer(1, 6)
    True
    """

    def __init__(self, *seed: str):
        digest = hashlib.sha256("\0".join(seed).encode()).digest()
        self.generator = torch.Generator().manual_seed(int.from_bytes(digest[:7]))

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.generator))

    def scores(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Scores from a normal distribution: small enough that no softmax saturates."""
        return torch.randn(shape, generator=self.generator).to(dtype)

    def mask(self, *shape: int) -> Tensor:
        """A mask in which every row may look at some keys and not at others (two keys at least).

        Sentences, heads and queries do not all see the same, and where there are several queries some look
        ahead and some do not look at what is behind them: no causal mask is like it.
        """
        while True:
            order = torch.rand(shape, generator=self.generator).argsort(dim=-1).argsort(dim=-1)
            allowed = torch.randint(1, shape[-1], (*shape[:-1], 1), generator=self.generator)
            if _tells_answers_apart(mask := order < allowed):
                return mask

    def weights(
        self, shapes: dict[str, tuple[int, ...]], dtype: torch.dtype = torch.float32
    ) -> dict[str, Tensor]:
        """Values for parameters of these shapes, so small that nothing saturates, and none of them zero."""
        return {
            name: self.scores(*shape, dtype=dtype) / max(4, shape[-1]) ** 0.5
            for name, shape in shapes.items()
        }

    def token_ids(self, batch: int, length: int, pad_id: int) -> Tensor:
        """Token ids (batch, length), padded right, left and inside by turns, never throughout a row."""
        ids = torch.randint(0, 90, (batch, length), generator=self.generator)
        ids[ids == pad_id] = 91
        for row, sentence in enumerate(ids):
            padding = self.integer(1, max(1, length // 2)) if length > 1 else 0
            if row % 3 == 0:
                sentence[length - padding :] = pad_id
            elif row % 3 == 1:
                sentence[:padding] = pad_id
            elif length > 2:
                sentence[1 : 1 + padding] = pad_id
        return ids


def _tells_answers_apart(mask: Tensor) -> bool:
    *several, _ = mask.shape
    if any(torch.equal(mask, mask.roll(1, dim)) for dim, size in enumerate(several) if size > 1):
        return False
    behind = torch.ones_like(mask).tril()
    causal = not (mask & ~behind).any() or (mask & behind).equal(behind)
    return several[-1] == 1 or not causal
