"""Whether a copy of an export is still what was written: every file, and none besides."""

import json
from pathlib import Path
from typing import Any

from dsk_assets.errors import CorruptedError, InputError
from dsk_assets.evidence.merkle import leaf_hash, root_of
from dsk_assets.lake.digests import canonical_json, sha256_bytes, sha256_file
from dsk_assets.lake.folders import plain_files, shown

LISTING = "export.json"


def check(folder: Path, digest: str | None = None) -> str:
    """Compare the export in *folder* with its ``export.json``; returns the SHA-256 of that file.

    *digest* is the SHA-256 that whoever wrote the export names: without it, files that were changed
    together with the listing are not noticed. Raises :class:`InputError` where there is no listing,
    and :class:`CorruptedError`, which names every file that is changed, missing or added.
    """
    present = plain_files(folder)
    try:
        data = present.pop(LISTING).read_bytes()
        content = json.loads(data)
        listed = [(one["path"], one["sha256"], one["bytes"]) for one in content["files"]]
        given = [one["leaf"] for one in content["files"]], content["root"]
    except (KeyError, ValueError, TypeError, RecursionError):
        raise InputError(
            f"{folder} holds no readable {LISTING} — it is written by `dsk corpus export`"
        ) from None
    wrong = _differing(listed, present)
    if digest is not None and sha256_bytes(data) != digest.removeprefix("sha256:"):
        wrong.append(f"{LISTING} is not the one with sha256 {digest.removeprefix('sha256:')[:64]}")
    leaves = [
        leaf_hash(canonical_json({"path": path, "sha256": sha256, "bytes": size}))
        for path, sha256, size in listed
    ]
    if given != ([leaf.hex() for leaf in leaves], root_of(leaves).hex()):
        wrong.append(f"{LISTING}: leaves and root are not those of its files")
    if wrong:
        raise CorruptedError(
            f"{folder} is not what was exported: {'; '.join(wrong)} — copy it again"
        )
    return sha256_bytes(data)


def _differing(listed: list[tuple[Any, Any, Any]], present: dict[str, Path]) -> list[str]:
    named = {path: (sha256, size) for path, sha256, size in listed}
    wrong = []
    for name in sorted(named.keys() | present.keys(), key=str):
        if name not in named:
            wrong.append(f"{shown(name)} was added")
        elif name not in present:
            wrong.append(f"{shown(str(name))} is missing")
        elif named[name] != (sha256_file(present[name]), present[name].stat().st_size):
            wrong.append(f"{shown(name)} has other bytes")
    return wrong
