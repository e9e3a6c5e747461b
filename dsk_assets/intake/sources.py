"""Bytes to be read: a landed file, a member of an archive, an attachment of a mail.

Compression is undone on the way (gzip, Zstandard, told by the first bytes). A source can be
opened any number of times, so it is checked whole before a document is taken from it.
"""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal, cast

import pyarrow as pa

from dsk_assets.intake.limits import (
    CHUNK,
    MAX_EXPANDED,
    MAX_MEMBER,
    MAX_RATIO,
    MAX_WHOLE,
    RATIO_FROM,
    megabytes,
)

Compression = Literal["none", "gzip", "zstd"]

_MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_DAMAGE = (
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    pa.ArrowException,
)


class Unreadable(Exception):
    """A source cannot be read; the message gives the reason and never holds donated text."""


@dataclass(frozen=True)
class Source:
    """Bytes with a *name*: a path in the donation, ``archive.zip!/member.txt`` for a member.

    ``stored`` opens the bytes as they lie, *size* many; ``charset`` is what a mail declared for
    them; ``path`` is set for a file on disk.
    """

    name: str
    stored: Callable[[], IO[bytes]]
    size: int
    charset: str | None = None
    path: Path | None = None

    @classmethod
    def of_file(cls, path: Path, name: str) -> "Source":
        """The file *path*, known to the donor as *name*."""
        return cls(name, lambda: path.open("rb"), path.stat().st_size, path=path)

    @classmethod
    def of_bytes(cls, data: bytes, name: str, charset: str | None = None) -> "Source":
        """Bytes in memory."""
        return cls(name, lambda: io.BytesIO(data), len(data), charset)

    def named(self, name: str) -> "Source":
        """The same bytes under another name."""
        return replace(self, name=name)

    @cached_property
    def compression(self) -> Compression:
        """How the bytes are packed, told by the first of them."""
        try:
            with self.stored() as stream:
                head = stream.read(4)
        except _DAMAGE:
            raise Unreadable(_damaged("none")) from None
        return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "none")

    def open(self) -> IO[bytes]:
        """The unpacked bytes as a stream."""
        if self.compression == "none":
            return self.stored()
        unpacked: Any = pa.CompressedInputStream(cast(Any, self.stored()), self.compression)
        return io.BufferedReader(unpacked, CHUNK)

    def head(self, size: int = CHUNK) -> bytes:
        """The first *size* unpacked bytes, or fewer; :class:`Unreadable` where damaged."""
        try:
            with self.open() as stream:
                return stream.read(size)
        except _DAMAGE:
            raise Unreadable(_damaged(self.compression)) from None

    def chunks(self) -> Iterator[bytes]:
        """All unpacked bytes, piece by piece.

        Raises :class:`Unreadable` where the packed bytes are damaged, cut off or expand beyond
        what a text does.
        """
        total = 0
        try:
            with self.open() as stream:
                while chunk := stream.read(CHUNK):
                    total += len(chunk)
                    check_expansion(self.size, total)
                    yield chunk
        except _DAMAGE:
            raise Unreadable(_damaged(self.compression)) from None

    def read(self) -> bytes:
        """All unpacked bytes, for formats that are read whole."""
        parts, total = [], 0
        for chunk in self.chunks():
            total += len(chunk)
            if total > MAX_WHOLE:
                raise Unreadable(
                    f"the file is larger than {megabytes(MAX_WHOLE)}, and its format is read "
                    "whole — split it"
                )
            parts.append(chunk)
        return b"".join(parts)


def stored_sha256(source: Source) -> str:
    """SHA-256 of the bytes of *source* as they lie; :class:`Unreadable` where damaged."""
    try:
        with source.stored() as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    except _DAMAGE:
        raise Unreadable(_damaged("none")) from None


def _damaged(compression: Compression) -> str:
    if compression == "none":
        return "the bytes could not be read — pack and deliver the file again"
    return f"the {compression} data are damaged or cut off — pack and deliver the file again"


def check_expansion(packed: int, unpacked: int) -> None:
    """Raise :class:`Unreadable` where so few bytes expand to so many that no text does."""
    if unpacked > MAX_EXPANDED or (unpacked > RATIO_FROM and unpacked > packed * MAX_RATIO):
        raise Unreadable(
            f"the packed data expand more than {MAX_RATIO} times, or beyond "
            f"{megabytes(MAX_EXPANDED)} (a zip bomb?) — deliver the file unpacked"
        )


def seekable(source: Source) -> IO[bytes]:
    """The unpacked bytes as a stream with random access, in memory unless they lie on disk."""
    if source.path is not None and source.compression == "none":
        return source.stored()
    return io.BytesIO(source.read())


def open_zip(source: Source) -> zipfile.ZipFile:
    """A ZIP container (also DOCX, XLSX), its declared sizes checked before anything is unpacked.

    Python stops reading a member at its declared size, so the check holds for lying archives.
    Raises :class:`Unreadable` for a damaged, encrypted or excessively expanding container.
    """
    try:
        archive = zipfile.ZipFile(seekable(source))
    except (zipfile.BadZipFile, ValueError, OSError):
        raise Unreadable("the ZIP container is damaged or cut off — deliver it again") from None
    total = 0
    for member in archive.infolist():
        total += member.file_size
        check_expansion(member.compress_size, member.file_size)
        check_expansion(source.size, total)
        if member.flag_bits & 1:
            raise Unreadable("the container is encrypted — deliver it without a password")
    return archive


def document_zip(source: Source) -> IO[bytes]:
    """The bytes of a document that is a ZIP inside (DOCX, XLSX), checked for what it expands to."""
    with open_zip(source) as archive:
        if any(member.file_size > MAX_MEMBER for member in archive.infolist()):
            raise Unreadable(
                f"a part of the document is larger than {megabytes(MAX_MEMBER)} — split it"
            )
    return seekable(source)
