"""The course's own translator, running where it is read: its model is fetched when the reader asks for it."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from math import ceil, prod
from pathlib import Path

import traitlets

from companion.data.files import HERE, DataError
from companion.explorers.explorer import Explorer, style

FOLDER = HERE / "translation"
POSITIONS = 128  # `max_length` of the trained model
PART = 768 * 1024  # bytes
PAGE_FOLDER = "_static/translation"  # of the published book
EXAMPLES = ("我是一名工程师。", "我父亲是工程师。", "你今天想吃什么？", "请先保存文件。")
DESCRIPTION = (
    "A small Transformer that translates Chinese sentences into English in the reader's browser. The "
    "translation appears token by token; for each token there are the likeliest candidates, and the source "
    "tokens at which the model looked before it wrote the token."
)


class TranslatorExplorer(Explorer):
    """A trained Transformer that translates in the reader's browser, and shows where each token looks.

    The model is not part of the page: it comes in parts when the reader asks for it, from the files that
    `page_files` makes on a published page, and from Python in a notebook.

    Args:
        examples: Chinese sentences, each of which becomes a button; those that the training looked at if
            left out.
        folder: where `model.safetensors`, `merges.txt` and `log.json` are, as `solutions.train_translation`
            exports them.
        description: the alternative text.

    Raises:
        DataError: there is no model in the folder, or its numbers are no float16.
        ValueError: there is no example, or no such layer or head; the same when a trait is set later.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = style(__file__)

    examples = traitlets.List(traitlets.Unicode()).tag(sync=True)
    text = traitlets.Unicode(help="The sentence to translate.").tag(sync=True)
    layer = traitlets.Int(-1, help="From 0; -1 for the average of all.").tag(sync=True)
    head = traitlets.Int(-1, help="From 0; -1 for the average of all.").tag(sync=True)
    file = traitlets.Dict(help="What the model consists of, and what its parts are called.").tag(sync=True)

    def __init__(
        self,
        examples: Sequence[str] | None = None,
        folder: Path = FOLDER,
        description: str = DESCRIPTION,
    ) -> None:
        self._translations = translations(folder)
        self._data, file = _read(folder)
        examples = [*(self._translations or EXAMPLES)] if examples is None else [*examples]
        if not examples:
            raise ValueError("examples is empty, but there must be one sentence or more.")
        super().__init__(examples=examples, text=examples[0], file=file, description=description)
        self.on_msg(self._send_part)

    def still(self) -> str:
        """The examples, with what the model made of them at the end of its training, as one picture (SVG)."""
        return _picture(self.examples, self._translations)

    def _send_part(self, widget: Explorer, content: dict, buffers: list[bytes]) -> None:
        number = content.get("part")
        if number in range(self.file["parts"]):
            self.send({"part": number}, buffers=[_part(self._data, number)])

    @traitlets.validate("layer")
    def _check_layer(self, proposal: dict) -> int:
        return _number("layer", proposal["value"], self.file["layers"])

    @traitlets.validate("head")
    def _check_head(self, proposal: dict) -> int:
        return _number("head", proposal["value"], self.file["heads"])


def page_files(folder: Path = FOLDER) -> dict[str, str]:
    """The model as files of a published page: path from the book's root to text; none without a model.

    Each is a script that holds a part in base64: a script is all that a page may load from beside it when
    it is opened from a folder, without a server. The name changes with the model, so that no browser takes
    an older one that it has kept.
    """
    if not (folder / "model.safetensors").is_file():
        return {}
    data, file = _read(folder)
    texts = (b64encode(_part(data, number)).decode() for number in range(file["parts"]))
    return {
        f"{file['stem']}-{number}.js": f'globalThis.translatorPart = "{text}";\n'
        for number, text in enumerate(texts)
    }


def translations(folder: Path = FOLDER) -> Mapping[str, str]:
    """Example sentences and what the model made of them when its training ended."""
    path = folder / "log.json"
    log = json.loads(path.read_text(encoding="utf-8"))["log"] if path.is_file() else []
    return log[-1]["examples"] if log else {}


# What there is to load: the weights, then the merges.


def _read(folder: Path) -> tuple[bytes, dict]:
    """All bytes of the model, and what the module must know before it has them."""
    try:
        weights = (folder / "model.safetensors").read_bytes()
        merges = (folder / "merges.txt").read_bytes()
    except FileNotFoundError as error:
        name = Path(error.filename).name
        raise DataError(
            f"{folder} has no {name}: train the model with python -m solutions.train_translation "
            f"--export {folder}"
        ) from None
    header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
    settings = json.loads(header.pop("__metadata__")["settings"])
    for name, tensor in header.items():
        if tensor["dtype"] != "F16":
            raise DataError(f"{name} in {folder} is {tensor['dtype']}, but only F16 is read in a browser.")
    data = weights + merges
    return data, {
        "stem": f"{PAGE_FOLDER}/{sha256(data).hexdigest()[:12]}",
        "parts": ceil(len(data) / PART),
        "weights": len(weights),
        "merges": len(merges),
        "numbers": sum(prod(tensor["shape"]) for tensor in header.values()),
        "layers": settings["n_layers"],
        "heads": settings["n_heads"],
        "positions": POSITIONS,
    }


def _part(data: bytes, number: int) -> bytes:
    return data[number * PART : (number + 1) * PART]


def _number(name: str, value: int, end: int) -> int:
    if not -1 <= value < end:
        raise ValueError(f"{name} is {value}, but it must be from -1 to {end - 1}.")
    return value


# The still is drawn with attributes alone, so that it also shows where a page drops style sheets.

LINE = 46


def _picture(sentences: Sequence[str], translated: Mapping[str, str]) -> str:
    parts, widest = [], 0
    for number, sentence in enumerate(sentences):
        y = LINE * number + 16
        english = translated.get(sentence, "")
        parts.append(f'<text x="0" y="{y}" font-size="14">{escape(sentence)}</text>')
        if english:
            parts.append(f'<text x="16" y="{y + 19}" font-size="14">→ {escape(english)}</text>')
        widest = max(widest, 14 * len(sentence), 32 + 8 * len(english))
    height = LINE * len(sentences)
    return (
        f'<svg width="{widest}" height="{height}" viewBox="0 0 {widest} {height}" fill="currentColor" '
        f'font-family="inherit">{"".join(parts)}</svg>'
    )
