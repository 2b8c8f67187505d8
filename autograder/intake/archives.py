"""What is inside an archive, read in memory: zip, tar and gzip, with limits on everything.

Nothing is ever written to a path that an archive names. Python's `tarfile` is not used, since headers made to
harm it can keep it busy for ever; of tar, the names and the bytes are all that is needed.
"""

import bz2
import calendar
import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace

from autograder.intake.files import DEEPEST, LARGEST, MIB, MOST_ENTRIES, File, Found, ignored
from autograder.intake.submission import shown

DEEPEST_NESTING = 2
HIGHEST_RATIO = 1000
ZIP, EMPTY_ZIP, ZIP_ENTRY, GZIP, BZIP2 = b"PK\x03\x04", b"PK\x05\x06", b"PK\x01\x02", b"\x1f\x8b", b"BZh"
UNKNOWN = {b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
READABLE_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)


def unpacked(found: Found) -> Found:
    """The same files, with those in archives in place of the archives."""
    everything = Found(problems=list(found.problems), room=found.room)
    for file in found.files:
        _unpack(file, everything, 0)
    return everything


def _unpack(file: File, into: Found, nesting: int) -> None:
    kind = next((kind for start, kind in UNKNOWN.items() if file.data.startswith(start)), "")
    if kind:
        into.problems.append(f"{shown(file.name)} is a {kind} archive, which cannot be read here")
    elif file.data.startswith((ZIP, EMPTY_ZIP, GZIP, BZIP2)) or _is_tar(file.data):
        into.room -= len(file.data) if nesting else 0
        if nesting == DEEPEST_NESTING:
            into.problems.append(f"{shown(file.name)} is an archive too deep inside another")
            return
        before = len(into.files) + len(into.problems)
        try:
            for member in _members(file, into):
                _unpack(member, into, nesting + 1)
        except Exception as error:  # these libraries raise what they like when an archive is damaged
            into.problems.append(f"{shown(file.name)} is a damaged archive ({shown(type(error).__name__)})")
        if before == len(into.files) + len(into.problems):
            into.problems.append(f"{shown(file.name)} is an archive with nothing in it that can be read")
    elif nesting:
        into.add(file)
    else:
        into.files.append(file)


def _members(file: File, into: Found) -> Iterator[File]:
    if file.data.startswith((ZIP, EMPTY_ZIP)):
        return _in_zip(file, into)
    if _is_tar(file.data):
        return _in_tar(file)
    return _in_stream(file, into)


def _in_stream(file: File, into: Found) -> Iterator[File]:
    """The one file that gzip or bzip2 holds; most often it is a tar archive."""
    whole = zlib.decompressobj(wbits=31) if file.data.startswith(GZIP) else bz2.BZ2Decompressor()
    data = whole.decompress(file.data, LARGEST + 1)
    if len(data) > LARGEST:
        into.problems.append(f"{shown(file.name)} unpacks to more than {LARGEST // MIB} MiB")
    else:
        name = file.name.removesuffix(".gz").removesuffix(".bz2")
        yield from (
            _in_tar(replace(file, data=data)) if _is_tar(data) else [replace(file, name=name, data=data)]
        )


def _in_zip(file: File, into: Found) -> Iterator[File]:
    if file.data.count(ZIP_ENTRY) > 4 * MOST_ENTRIES:
        into.problems.append(f"{shown(file.name)} is an archive of too many files")
        return
    with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
        for entry in archive.infolist()[:MOST_ENTRIES]:
            if entry.is_dir() or not plain_path(entry.filename):
                continue
            name = f"{file.name}/{entry.filename}"
            if why := refused(entry):
                into.problems.append(f"{shown(name)} {why}")
            elif entry.file_size > into.room:
                into.problems.append("it is larger than 60 MiB in all")
            else:
                with archive.open(entry) as member:
                    data = _all_that_can_be_read(member)
                depth = file.depth + 1 + entry.filename.count("/")
                yield File(name, data, calendar.timegm((*entry.date_time, 0, 0, 0)), depth)


def refused(entry: zipfile.ZipInfo) -> str:
    """Why an entry of a zip archive is not read; empty where it is."""
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link, and links are not followed"
    if entry.flag_bits & 1:
        return "is protected by a password"
    if entry.compress_type not in READABLE_METHODS:
        return "is packed in a way that cannot be read here"
    if entry.file_size > min(LARGEST, HIGHEST_RATIO * max(entry.compress_size, 1)):
        return "unpacks to too much"
    return ""


def _all_that_can_be_read(member: zipfile.ZipExtFile) -> bytes:
    """A member's bytes, as far as they go where the archive is damaged."""
    data = bytearray()
    try:
        while len(data) <= LARGEST and (part := member.read(MIB)):
            data += part
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
        pass
    return bytes(data)


def _is_tar(data: bytes) -> bool:
    return data[257:262] == b"ustar"


def _in_tar(file: File) -> Iterator[File]:
    """The regular files of a tar archive, old or new."""
    position, long_name = 0, ""
    for _ in range(4 * MOST_ENTRIES):
        header = file.data[position : position + 512]
        if len(header) < 512 or not header.strip(b"\0"):
            return
        size, kind = int(header[124:136].strip(b" \0") or b"0", 8), header[156:157]
        if size < 0:
            return
        data = file.data[position + 512 : position + 512 + size]
        position += 512 + -(-size // 512) * 512
        if kind == b"L":
            long_name = _text(data)
            continue
        if kind in (b"x", b"g"):
            continue
        prefix = _text(header[345:500])
        name, long_name = long_name or (f"{prefix}/" if prefix else "") + _text(header[:100]), ""
        if kind in (b"0", b"\0") and plain_path(name) and len(data) <= LARGEST:
            time = int(header[136:148].strip(b" \0") or b"0", 8)
            yield File(f"{file.name}/{name}", data, time, file.depth + 1 + name.count("/"))


def _text(name: bytes) -> str:
    return name.split(b"\0")[0].decode("utf-8", "replace")


def plain_path(name: str) -> bool:
    """Whether a member's name stays in its archive and is not what a system leaves behind."""
    parts = name.replace("\\", "/").removeprefix("./").split("/")
    inside = parts[0] and ".." not in parts and ":" not in parts[0] and len(parts) <= DEEPEST + 2
    return bool(inside) and not any(map(ignored, parts))
