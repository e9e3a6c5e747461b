"""Corpus releases in the formats that training and publication elsewhere expect.

Each module writes one format: its function takes the catalog, the opened release and an empty
folder. Files are the same bytes for the same release.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from dsk_assets.corpus.export import dolma, dynaword, mds, megatron
from dsk_assets.corpus.release import OpenedRelease, open_release
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.merkle import leaf_hash, root_of
from dsk_assets.gates.registry import GATES
from dsk_assets.lake.digests import canonical_json, sha256_file
from dsk_assets.lake.folders import files_below, new_folder, require_new

FORMATS: Mapping[str, Callable[[Catalog, OpenedRelease, Path], None]] = {
    "megatron": megatron.write,
    "dolma": dolma.write,
    "mds": mds.write,
    "dynaword": dynaword.write,
}
LISTING = "export.json"


def export(catalog: Catalog, version: str, format_name: str, out: Path) -> list[str]:
    """Write release *version* to the new folder *out*; returns the names of its files.

    ``export.json`` lists every file with its SHA-256 and size, so that a copy can be checked at
    the other end, and with its Merkle leaf: the hash (RFC 9162, section 2.1) of the canonical JSON
    of path, SHA-256 and bytes. ``root`` is that of the tree over all of them, in order. Has gate
    ``composition`` judge the release as of today, and demands that it admits it. Files can be read
    by their owner alone. Raises :class:`StorageError` where *out* already holds something.
    """
    require_new(out)
    release = open_release(catalog, version)
    GATES["composition"].judge(catalog, version)  # a donation may have been withdrawn since
    admission.require(catalog, "composition", release.snapshot)
    with new_folder(out, "export") as folder:
        FORMATS[format_name](catalog, release, folder)
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
