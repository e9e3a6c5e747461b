"""Landing: a delivered folder, checked against its manifest and kept unchanged for ever.

A donation version lies in ``donations/landing`` as ``manifest.json`` and ``files/<sha256>``. Names
of files stand only in the manifest. What differs from a landed version needs a new version number.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from dsk_assets.counted import counted
from dsk_assets.errors import DonationError
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.gates.admitted import current_donations
from dsk_assets.intake.manifest import FileEntry, Manifest
from dsk_assets.intake.manifest_file import NAME, donated_files, listed, read_manifest
from dsk_assets.intake.staging import staged
from dsk_assets.lake.digests import sha256_file, sha256_json
from dsk_assets.lake.progress import track
from dsk_assets.lake.store import Zone

ASSET = "donations/landing"
CODE_VERSION = "1"
MANIFEST = "manifest.json"


def check(folder: Path) -> Manifest:
    """The manifest of the donation in *folder*, whose files are what it says.

    Raises :class:`DonationError` for a manifest that cannot be accepted, and for files that are
    missing, changed, not listed, or lie outside the folder: all of them, one a line. Only the
    first line is free of file names.
    """
    if not folder.is_dir():
        raise DonationError(f"not a folder: {folder} — give the folder that holds the {NAME}")
    manifest = read_manifest(folder)
    problems = [
        *(problem for file in manifest.files for problem in _file_problems(folder, file)),
        *_unlisted(folder, manifest),
    ]
    if problems:
        raise DonationError(
            f"the files differ from the manifest: {counted(len(problems), 'problem')} in donation "
            f"{manifest.key} — correct the files, or list them anew with `dsk manifest`:\n"
            + listed(problems)
        )
    return manifest


def _file_problems(folder: Path, file: FileEntry) -> Iterator[str]:
    path = folder / file.path
    if not _lies_in(path, folder):
        yield f"{file.path}: is a link that leaves the folder — deliver the file itself"
    elif not path.is_file():
        yield f"{file.path}: is listed but missing — add it, or list the files anew"
    elif (size := path.stat().st_size) != file.bytes:
        yield f"{file.path}: has {size} bytes, listed are {file.bytes} — was it changed or cut off?"
    elif (digest := sha256_file(path)) != file.sha256:
        yield f"{file.path}: has SHA-256 {digest}, listed is {file.sha256} — was it changed?"


def _lies_in(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):
        return False


def _unlisted(folder: Path, manifest: Manifest) -> Iterator[str]:
    listed = {file.path for file in manifest.files}
    for name in donated_files(folder):
        if name not in listed:
            shown = name if name.isprintable() else ascii(name)
            yield f"{shown}: is not listed — list it, or take it out of the folder"


def land(catalog: Catalog, folder: Path | str) -> Snapshot:
    """Check the donation in *folder* (or ``s3://bucket/prefix``) and keep it, unless it is kept.

    Raises :class:`DonationError` where the check fails, or where this version of the donation has
    been landed with other content: the earlier landing stays as it is.
    """
    with ExitStack() as stack:
        local = (
            stack.enter_context(staged(folder, catalog.settings))
            if isinstance(folder, str) and "://" in folder
            else Path(folder)
        )
        manifest = check(local)
        return _land(catalog, local, manifest)


def _land(catalog: Catalog, folder: Path, manifest: Manifest) -> Snapshot:
    content = manifest.as_json()
    config = {"manifest": sha256_json(content)}
    landed = catalog.latest(ASSET, manifest.key)
    if landed is not None and _config(landed) != config:
        raise DonationError(
            f"this version has been landed with other content: {manifest.key} — a landed version "
            "never changes; raise the version in the manifest and deliver it again"
        )

    _check_donor(catalog, manifest)

    def produce(out: Output) -> None:
        files = {file.sha256: file for file in manifest.files}
        for digest, file in track(sorted(files.items()), "Landing files", unit="files"):
            with out.file(f"files/{digest}") as path:
                shutil.copyfile(folder / file.path, path)
                if sha256_file(path) != digest:
                    raise DonationError(
                        f"a file changed while it was landed: donation {manifest.key} — let "
                        "nothing write to the folder, and deliver it again"
                    )
        out.json(MANIFEST, content)
        out.count(files=len(manifest.files), bytes=sum(file.bytes for file in manifest.files))

    return catalog.materialise(
        ASSET,
        manifest.key,
        zone=Zone.RESTRICTED,
        inputs=[Source(f"delivery/{manifest.key}", sha256_json(content))],
        config=config,
        code_version=CODE_VERSION,
        produce=produce,
    )


def _check_donor(catalog: Catalog, manifest: Manifest) -> None:
    """A donation is revised, or superseded, by its own donor only."""
    replaced = manifest.supersedes or ""
    for key in landed(catalog):
        if key == manifest.key:
            continue
        identifier = key.partition("@")[0]
        if identifier == manifest.donation_id or replaced in (key, identifier):
            donor = catalog.require(ASSET, key).json(MANIFEST)["donor"]["cvr"]
            if donor != manifest.donor.cvr:
                raise DonationError(
                    f"{key} was given by another donor: CVR {donor}, not {manifest.donor.cvr} — "
                    "give the donation an id of its own, and let `supersedes` name your own"
                )


def remarks(catalog: Catalog, landing: Snapshot) -> Iterator[str]:
    """What the donor of a donation that has just been landed should know."""
    replaced = landing.json(MANIFEST).get("supersedes")
    keys = landed(catalog)
    if replaced and replaced not in {*keys, *(key.partition("@")[0] for key in keys)}:
        yield f"it supersedes {replaced}, which has not been landed — check the id"
    if landing.partition not in current_donations(catalog):
        yield "it is not used: a newer version, or a donation that supersedes it, has been landed"


def _config(landing: Snapshot) -> object:
    return landing.statement["predicate"]["buildDefinition"]["internalParameters"]["config"]


def verify(catalog: Catalog, donation: str) -> Snapshot:
    """The files of a donation as they were delivered, and its manifest; every byte is checked.

    ``manifest.json`` and ``files/<sha256>``: names of files stand in the manifest only.
    Raises :class:`MissingInputError` where it has not been landed, :class:`CorruptedError` where
    bytes have changed since.
    """
    landing = catalog.require(ASSET, donation)
    for file in landing.files:
        landing.path(file.name)
    return landing


def manifest_of(landing: Snapshot) -> Manifest:
    """The manifest of a landed donation."""
    return Manifest.model_validate(landing.json(MANIFEST))


def landed(catalog: Catalog) -> list[str]:
    """Keys of all donation versions that have been landed, sorted."""
    return catalog.partitions(ASSET)


def deliveries(consortium: Path) -> list[Path]:
    """What lies in the consortium's inbox ``donations/``, sorted; hidden things are left out."""
    return sorted(consortium.glob("donations/[!.]*"))
