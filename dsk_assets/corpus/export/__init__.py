"""Corpus releases in the formats that training and publication elsewhere expect.

Each module writes one format: its function takes the catalog, the opened release and an empty
folder. Files are the same bytes for the same release.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dsk_assets.corpus.export import dolma, dynaword, mds, megatron
from dsk_assets.corpus.export.checking import LISTING
from dsk_assets.corpus.release import Member, OpenedRelease, open_release
from dsk_assets.corpus.tokenizer import FILE as TOKENIZER
from dsk_assets.corpus.tokenizer import vocabulary
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.merkle import leaf_hash, root_of
from dsk_assets.gates.registry import GATES
from dsk_assets.lake.digests import canonical_json, sha256_file
from dsk_assets.lake.folders import files_below, new_folder, require_new
from dsk_assets.training.config import FILE as TRAINING
from dsk_assets.training.config import load_training
from dsk_assets.training.released import held_out_below

FORMATS: Mapping[str, Callable[[Catalog, OpenedRelease, Path], None]] = {
    "megatron": megatron.write,
    "dolma": dolma.write,
    "mds": mds.write,
    "dynaword": dynaword.write,
}
TOKENS = ("megatron", "dolma", "mds")
"""The formats that hold tokens, which are read with the tokenizer."""


def export(catalog: Catalog, version: str, format_name: str, out: Path) -> list[str]:
    """Write release *version* to the new folder *out*; returns the names of its files.

    ``export.json`` lists every file with its SHA-256 and size, so that a copy can be checked at
    the other end, and with its Merkle leaf: the hash (RFC 9162, section 2.1) of the canonical JSON
    of path, SHA-256 and bytes. ``root`` is that of the tree over all of them, in order.
    Its ``heldOut`` is what ``training.yaml`` now holds out: documents whose id is below
    ``idsBelow``. Where tokens are written, it names ``tokenizer`` and ``donations`` too. Has gate
    ``composition`` judge the release as of today, and demands that it admits it. Files can be read
    by their owner alone. Raises :class:`StorageError` where *out* already holds something.
    """
    require_new(out)
    release = open_release(catalog, version)
    GATES["composition"].judge(catalog, version)  # a donation may have been withdrawn since
    admission.require(catalog, "composition", release.snapshot)
    with new_folder(out, "export") as folder:
        FORMATS[format_name](catalog, release, folder)
        bound = _held_out_below(catalog)
        named: dict[str, Any] = {"heldOut": {"idsBelow": bound}}
        if format_name in TOKENS:
            named |= _read_with(release, bound, folder)
        files = files_below(folder)
        listing = [
            {"path": name, "sha256": sha256_file(path), "bytes": path.stat().st_size}
            for name, path in files.items()
        ]
        leaves = [leaf_hash(canonical_json(entry)) for entry in listing]
        content = {
            "release": version,
            "digest": release.snapshot.digest,
            "format": format_name,
            **named,
            "root": root_of(leaves).hex(),
            "files": [
                entry | {"leaf": leaf.hex()} for entry, leaf in zip(listing, leaves, strict=True)
            ],
        }
        (folder / LISTING).write_bytes(canonical_json(content))
        for path in [*files.values(), folder / LISTING]:
            path.chmod(0o600)
        folder.chmod(0o700)
    return [*files, LISTING]


def _held_out_below(catalog: Catalog) -> str:
    """The first document id that training does not hold out; the first of all without training."""
    consortium = catalog.settings.consortium
    configured = (consortium / TRAINING).exists()
    return held_out_below(load_training(consortium).held_out if configured else 0.0)


def _read_with(release: OpenedRelease, bound: str, folder: Path) -> dict[str, Any]:
    """What a reader of tokens must know; the tokenizer is copied to *folder*.

    ``tokenizer`` has its file, the size of its vocabulary and the token that ends a document.
    ``donations`` say how many documents and tokens each has, and how many of them, which are its
    first, are held out: those with an id below *bound*.
    """
    shutil.copyfile(release.tokenizer.path(TOKENIZER), folder / TOKENIZER)
    words = vocabulary(release.tokenizer)
    return {
        "tokenizer": {"file": TOKENIZER, "vocabulary": words.size, "endOfText": words.end_of_text},
        "donations": [_counts(member, bound) for member in release.members],
    }


def _counts(member: Member, bound: str) -> dict[str, Any]:
    spans = member.shards.table("shard_span", ["doc_id", "start", "end"])
    held_out = spans.filter(pc.less(spans["doc_id"], pa.scalar(bound)))
    return {
        "donation": member.donation,
        "documents": spans.num_rows,
        "tokens": _tokens(spans),
        "heldOutDocuments": held_out.num_rows,
        "heldOutTokens": _tokens(held_out),
    }


def _tokens(spans: pa.Table) -> int:
    return pc.sum(pc.subtract(spans["end"], spans["start"])).as_py() or 0
