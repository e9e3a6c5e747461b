"""MosaicML's MDS: ``<donation>/index.json`` and ``shard.NNNNN.mds``; a sample is a document.

Its columns are ``doc_id``, ``donation_id`` and ``tokens``, an array of the shards' type.
``streams.yaml`` is the mix: the settings of one ``streaming.Stream`` for each donation.

A shard (version 2, as ``streaming/base/format/mds/reader.py`` of mosaicml-streaming reads it, all
numbers little-endian): the number of samples as uint32, where each begins and the last one ends as
uint32, the columns as JSON, then the samples. A sample is the length of each column as uint32, then
the columns. An array of one dimension begins with a byte that says so and how wide its length is
written, and its length.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from dsk_assets.corpus.export.spans import shards
from dsk_assets.corpus.release import Member, OpenedRelease
from dsk_assets.errors import StorageError
from dsk_assets.evidence.catalog import Catalog

SHARD_BYTES = 2**26
"""A shard is closed before it grows beyond this, which is the library's own default."""

LARGEST = 2**32
"""Where a sample ends is written as uint32."""

WIDTHS = ("<u1", "<u2", "<u4", "<u8")
"""How an array's length may be written, by the code that names it."""


def write(catalog: Catalog, release: OpenedRelease, folder: Path) -> None:
    """Write every donation of *release* that has a document, and the mix.

    Raises :class:`StorageError` where a document does not fit into a shard.
    """
    mix = {}
    for member in release.members:
        if not member.tokens:
            continue
        (folder / member.donation).mkdir()
        _Writer(member).write(folder / member.donation)
        mix[member.donation] = {"local": member.donation, "repeat": member.weight}
    (folder / "streams.yaml").write_text(yaml.safe_dump(mix, sort_keys=True), "utf-8")


class _Writer:
    """Cuts a donation's documents into MDS shards."""

    def __init__(self, member: Member):
        self._member = member
        [kind] = {dtype for _, dtype in member.files()}
        self._columns = {
            "column_encodings": ["str", "str", f"ndarray:{kind}"],
            "column_names": ["doc_id", "donation_id", "tokens"],
            "column_sizes": [None, None, None],
            "compression": None,
            "format": "mds",
            "hashes": ["sha256"],
            "size_limit": SHARD_BYTES,
            "version": 2,
        }
        self._header = json.dumps(self._columns, sort_keys=True).encode()
        self._empty = 8 + len(self._header)
        """Bytes of a shard without a sample."""

    def write(self, folder: Path) -> None:
        """Write all shards and ``index.json``."""
        entries: list[dict[str, Any]] = []
        held: list[bytes] = []
        size = self._empty
        for sample in self._samples():
            if held and size + 4 + len(sample) > SHARD_BYTES:
                entries.append(self._shard(folder, len(entries), held))
                held, size = [], self._empty
            held.append(sample)
            size += 4 + len(sample)
        entries.append(self._shard(folder, len(entries), held))
        index = json.dumps({"shards": entries, "version": 2}, sort_keys=True)
        (folder / "index.json").write_text(index, "utf-8")

    def _samples(self) -> Iterator[bytes]:
        donation_id = self._member.donation.partition("@")[0].encode()
        for shard in shards(self._member):
            for doc_id, start, end in zip(shard.doc_ids, shard.starts, shard.ends, strict=True):
                columns = (doc_id.encode(), donation_id, _array(shard.tokens[start:end]))
                sample = np.array([*map(len, columns)], "<u4").tobytes() + b"".join(columns)
                if self._empty + 4 + len(sample) >= LARGEST:
                    raise StorageError(
                        f"document {doc_id} has {end - start} tokens, which no MDS shard holds — "
                        "export the release in another format"
                    )
                yield sample

    def _shard(self, folder: Path, number: int, samples: list[bytes]) -> dict[str, Any]:
        """Write one shard; what ``index.json`` says of it."""
        ends = self._empty + 4 * len(samples) + np.cumsum([0, *map(len, samples)])
        head = np.array([len(samples), *ends], "<u4").tobytes() + self._header
        data = head + b"".join(samples)
        name = f"shard.{number:05d}.mds"
        (folder / name).write_bytes(data)
        raw = {
            "basename": name,
            "bytes": len(data),
            "hashes": {"sha256": sha256(data).hexdigest()},
        }
        return {**self._columns, "raw_data": raw, "samples": len(samples), "zip_data": None}


def _array(tokens: NDArray[Any]) -> bytes:
    """*tokens* as a column of one dimension."""
    code = next(code for code, width in enumerate(WIDTHS) if len(tokens) <= np.iinfo(width).max)
    return (
        bytes([1 << 2 | code]) + np.array([len(tokens)], WIDTHS[code]).tobytes() + tokens.tobytes()
    )
