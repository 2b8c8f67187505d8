"""The translation model that comes with the course, shipped in translation/: weights, merges and log.

It was made by `python -m solutions.train_translation`. After another training, the three digests below are
the new ones.
"""

import json
from dataclasses import dataclass

from safetensors.torch import load
from torch import Tensor

from companion.data.files import shipped

WEIGHTS_SHA256 = "7f6ebdac40be15aa9d5e48fcf554a042685867829abe3d771b874686a086c675"
MERGES_SHA256 = "311100778988eee83aed9834900c67643d1611ed8127448edb5b1a0a6a564a09"
LOG_SHA256 = "d3ef676cc9d915752e8a14f0449a4e4dd2196a3dac664d4549a0ccf8a5019d77"


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
