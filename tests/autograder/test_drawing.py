"""Random inputs tell answers apart, whatever the seed."""

import pytest
import torch

from autograder.exercises.drawing import Draw


@pytest.mark.parametrize(
    "shape", [(2, 3), (3, 3), (2, 1, 3, 3), (2, 1, 1, 3), (1, 3, 1, 5), (2, 2, 2, 2), (2, 3, 4, 5)]
)
def test_no_mask_could_stand_for_another(shape):
    for seed in range(300):
        mask = Draw(str(seed)).mask(*shape)
        assert mask.shape == shape
        assert mask.any(dim=-1).all() and not mask.all(dim=-1).any()
        for dim, size in enumerate(shape[:-1]):
            assert size == 1 or mask.unique(dim=dim).shape[dim] > 1
        behind = torch.ones(shape[-2:], dtype=torch.bool).tril()
        if shape[-2] > 1:
            assert (mask & ~behind).any() and (~mask & behind).any()
