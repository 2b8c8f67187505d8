"""The translation model that comes with the course, shipped in translation/: weights, merges and log.

It was made by `python -m solutions.train_translation`. After another training, the three digests below are
the new ones.
"""

import json
from dataclasses import dataclass

from safetensors.torch import load
from torch import Tensor

from companion.data.files import shipped

WEIGHTS_SHA256 = "eb75381aa52882b138d566625a0462d8c9c8a86c803ad72b7a36fedde2f074c8"
MERGES_SHA256 = "311100778988eee83aed9834900c67643d1611ed8127448edb5b1a0a6a564a09"
LOG_SHA256 = "db7f84cdbbbe044a3f52a23e7e07b5c981eb7592c8a8f6bea9da7108dcd5bed7"


@dataclass(frozen=True)
class TranslationModel:
    """All that is needed to build the trained `Transformer` again, and how it came to be.

    `settings` are those of `solutions.train_translation`, `merges` pairs with their ranks, for a `Tokenizer`,
    `weights` a state dictionary, `log` the machine, the versions and what was measured after each epoch.
    """

    settings: dict
    merges: dict[tuple[str, str], int]
    weights: dict[str, Tensor]
    log: dict


def translation_model() -> TranslationModel:
    """The trained model from Chinese to English; its weights, shipped in float16, as float32.

    Raises DataError where a file is missing or is not what was published.
    """
    log = json.loads(shipped("translation/log.json", LOG_SHA256))
    lines = shipped("translation/merges.txt", MERGES_SHA256).decode("utf-8").splitlines()
    weights = load(shipped("translation/model.safetensors", WEIGHTS_SHA256))
    return TranslationModel(
        settings=log["settings"],
        merges={tuple(line.split(" ")): rank for rank, line in enumerate(lines)},
        weights={name: weight.float() for name, weight in weights.items()},
        log=log,
    )
