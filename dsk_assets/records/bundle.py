"""The released model: a folder that ``transformers`` loads and anybody can verify.

    *.safetensors config.json tokenizer.json …   the checkpoint's model
    README.md                                    its card
    records/…                                    the other published records
    LICENSE  NOTICE  base_model/…                terms, origin, and the base model's own notices
    evidence.zip                                 the evidence pack of its corpus release
    release.json                                 checkpoint, licences, and the files above
    release.intoto.json                          signed statement (in-toto release) over them
    model.pub  model.sig                         OpenSSF model signature over the whole folder

What is released is an asset, made once for what it is made of, so the folder can be written again
with the same bytes; only ``model.sig`` differs, because ECDSA draws a number for each signature.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

from dsk_assets.consortium.licences import OPEN, open_licence
from dsk_assets.errors import (
    CorruptedError,
    MissingInputError,
    NotAdmittedError,
    RecordError,
)
from dsk_assets.evidence import admission, sequencer
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.derived import BUNDLE as ASSET
from dsk_assets.evidence.entries import ATTESTATIONS, statement_path
from dsk_assets.evidence.predicates import RELEASE, roles
from dsk_assets.evidence.verify.bundle import verifier
from dsk_assets.evidence.verify.envelopes import read_statement
from dsk_assets.evidence.verify.lake import POLICY
from dsk_assets.evidence.verify.pack import pack
from dsk_assets.evidence.verify.standalone import Pack, verify_pack
from dsk_assets.gates.registry import GATES
from dsk_assets.lake.digests import sha256_bytes, sha256_file, sha256_text
from dsk_assets.lake.folders import files_below, new_folder, require_new
from dsk_assets.lake.store import Zone
from dsk_assets.records import model_signature, notices, stage
from dsk_assets.records.provider import load_provider
from dsk_assets.records.verification import require_verified, verification

CODE_VERSION = "2"
CHECKPOINT = "training/checkpoint"
STATEMENT = "release.intoto.json"
CARD = "model_card/README.md"
EVIDENCE = "evidence.zip"
FILE = "release.json"
_PLACE = "attestations/release/bundle/_/000001.json"
"""Where the statement would lie in a lake; its subjects alone matter here."""
_NOT_OURS = (".git", ".cache")
"""How files and folders begin that uploading and downloading leave behind."""


@dataclass(frozen=True)
class Verified:
    """What is wrong with a released folder, and what limits the proof that nothing is."""

    wrong: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)


def release(catalog: Catalog, key: str, out: Path) -> list[str]:
    """Write the checkpoint *key* as a released model to the new folder *out*; names of its files.

    Judges its corpus release anew and verifies all evidence first. Raises
    :class:`MissingInputError` for an unknown checkpoint or one without a card,
    :class:`NotAdmittedError` where a licence is not open (principle 1), a gate refuses, a donation
    in it was withdrawn, evidence is wrong or a signature is missing, and :class:`StorageError`
    where *out* holds something.
    """
    require_new(out)
    made = model_release(catalog, key)
    sequencer.append_new(catalog)
    path = statement_path(ATTESTATIONS, "release/bundle", key, made.number)
    if not catalog.lake.exists(path):
        raise NotAdmittedError(
            f"the release of {key} waits for signatures ({' and '.join(roles(RELEASE))}) — "
            "`dsk evidence pending` says whose; release it again when they are given"
        )
    with new_folder(out, "release") as folder:
        for name, file in _sources(catalog, made):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / name)
        (folder / STATEMENT).write_bytes(catalog.lake.read(path))
        if model_signature.installed():
            key_file = model_signature.private_key(catalog.settings)
            model_signature.sign(folder, key_file)
        found = verify(folder)
        if found.wrong:
            raise CorruptedError(
                f"the folder that was written does not verify: {found.wrong[0]} — release again"
            )
    return sorted(_files(out))


def model_release(catalog: Catalog, key: str) -> Snapshot:
    """What the released folder of checkpoint *key* holds beside model and records.

    ``release.json``: ``checkpoint``, ``licences`` of weights, code and base model, and ``files``
    (name, SHA-256) that come from the checkpoint and the records. ``evidence.zip``: the evidence
    pack. ``LICENSE``, ``NOTICE`` and ``base_model/…``: terms and notices. ``model.pub``: the key
    of the model's signature. ``dsk release`` writes the folder. Raises like :func:`release`.
    """
    snapshot = catalog.latest(CHECKPOINT, key)
    if snapshot is None:
        known = ", ".join(catalog.partitions(CHECKPOINT)) or "none yet"
        raise MissingInputError(f"there is no checkpoint {key} — the checkpoints are: {known}")
    version = str(snapshot.json("checkpoint.json")["release"])
    licences = _licences(catalog, snapshot)
    verdicts = _judged(catalog, version, snapshot)
    records = _records(catalog, version, snapshot)
    files = _named(snapshot, records)
    terms = notices.texts(catalog, snapshot.json("checkpoint.json"), licences)
    public = b""
    if model_signature.installed():
        public = model_signature.public_key(model_signature.private_key(catalog.settings))

    def produce(out: Output) -> None:
        content = {"checkpoint": key, "digest": snapshot.digest, "licences": licences}
        out.json(FILE, {**content, "files": files})
        with out.file(EVIDENCE) as path:
            pack(catalog, version, path)
        for name, text in terms.items():
            with out.file(name) as path:
                path.write_bytes(text)
        if public:
            with out.file(model_signature.PUBLIC_KEY) as path:
                path.write_bytes(public)
        out.count(files=len(files))

    return catalog.materialise(
        ASSET,
        key,
        zone=Zone.PUBLIC,
        inputs=[snapshot, records, *verdicts],
        config={
            "licences": licences,
            "key": sha256_bytes(public),
            "terms": {name: sha256_bytes(text) for name, text in terms.items()},
            "verifier": sha256_text(verifier()),
        },
        code_version=CODE_VERSION,
        produce=produce,
    )


def verify(folder: Path, trust: str | None = None) -> Verified:
    """Check a released *folder* by itself, as anybody can who was given it.

    Every file against the signed statement, the statement's signatures against the keys that the
    evidence pack proves (*trust*: the id of the first one, from elsewhere), the pack, and the
    model's signature. Raises :class:`RecordError` where *folder* is no released model.
    """
    try:
        envelope = (folder / STATEMENT).read_bytes()
        proven = verify_pack(Pack.open(folder / EVIDENCE), trust, rules_digest=sha256_file(POLICY))
        statement = read_statement(envelope, proven.ring.public_keys, _PLACE)
        named = dict(statement.files)
    except Exception as error:  # whatever a pack holds
        raise RecordError(
            f"{folder} is no released model that can be read ({type(error).__name__}) — name a "
            "folder that `dsk release` wrote, whole"
        ) from None
    found = Verified()
    held = proven.ring.roles(statement.signers, None)
    missing = [role for role in roles(RELEASE) if role not in held]
    if statement.predicate_type != RELEASE or missing:
        found.wrong.append(f"{STATEMENT}: not signed by {' and '.join(missing) or 'a release'}")
    found.wrong.extend(_differing(folder, named))
    for fault in proven.faults:
        (found.limits if fault.is_limit else found.wrong).append(f"{EVIDENCE}: {fault.text()}")
    if model_signature.PUBLIC_KEY not in named:
        found.limits.append("there is no OpenSSF model signature")
    elif not model_signature.installed():
        found.limits.append(f"{model_signature.SIGNATURE} was not checked: install model-signing")
    elif (problem := model_signature.problem(folder)) is not None:
        found.wrong.append(problem)
    return found


def _differing(folder: Path, named: dict[str, str]) -> Iterator[str]:
    present = _files(folder)
    for name in sorted(named.keys() | present.keys() - {STATEMENT, model_signature.SIGNATURE}):
        if name not in present:
            yield f"{name}: missing"
        elif name not in named:
            yield f"{name}: not part of the release"
        elif sha256_file(present[name]) != named[name]:
            yield f"{name}: other bytes than were released"
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not path.is_file():  # what is behind it was not looked at
            yield f"{path.relative_to(folder).as_posix()}: not part of the release"


def _files(folder: Path) -> dict[str, Path]:
    found = files_below(folder).items()
    return {name: path for name, path in found if not name.startswith(_NOT_OURS)}


def _licences(catalog: Catalog, checkpoint: Snapshot) -> dict[str, str | None]:
    """The licences of weights, code and base model; :class:`NotAdmittedError` if one is not open.

    Principle 1: released models are open and free, also for commercial use.
    """
    base = checkpoint.json("checkpoint.json")["baseModel"]
    named = {
        "weights": load_provider(catalog.settings.consortium).model.licence,
        "code": str(metadata("dsk-assets")["License-Expression"]),
        "baseModel": str(base["licence"]) if base["name"] else None,
    }
    for what, licence in named.items():
        if licence is not None and open_licence(licence) is None:
            raise NotAdmittedError(
                f"the licence of {what} is {licence!r}, which principle 1 does not admit: released "
                "models are open and free, also for commercial use — choose one of "
                f"{', '.join(sorted(OPEN.values()))}"
            )
    return named


def _judged(catalog: Catalog, version: str, checkpoint: Snapshot) -> list[Snapshot]:
    """The verdicts that admit the model today: its corpus release is judged, evidence verified.

    The verification speaks of the log as it is now, so it is demanded, and is no input: the same
    model is the same release on another day.
    """
    read = stage.materialisations(catalog, version)
    corpus = catalog.require("corpus/release", version)
    GATES["composition"].judge(catalog, version)
    verdicts = [
        admission.require(catalog, "composition", corpus),
        admission.require(catalog, "checkpoint", checkpoint),
    ]
    verification(catalog, version, read, full=True)
    GATES["evidence"].judge(catalog, version)
    sequencer.append_new(catalog)  # the evidence pack holds these decisions
    require_verified(catalog, version, read)
    return verdicts


def _records(catalog: Catalog, version: str, checkpoint: Snapshot) -> Snapshot:
    """The published records that speak of *checkpoint*."""
    records = catalog.latest(stage.ASSET, version)
    newest = stage.newest_checkpoint(catalog, version)
    if newest is None or newest.partition != checkpoint.partition:
        raise MissingInputError(
            f"{checkpoint.key} has no card: the records of release {version} speak of "
            f"{newest.key if newest else 'no model'} — release that one"
        )
    if (
        records is None
        or records.inputs.get(f"dsk:{checkpoint.key}") != checkpoint.digest
        or CARD not in {file.name for file in records.files}
    ):
        raise MissingInputError(
            f"{checkpoint.key} has no card yet — run `dsk nightly`, which publishes its records"
        )
    return records


def _placed(checkpoint: Snapshot, records: Snapshot) -> Iterator[tuple[str, Snapshot, str]]:
    """Each file's name in the folder, what it comes from, and its name there."""
    for file in checkpoint.files:
        if file.name.startswith("model/"):
            yield file.name.removeprefix("model/"), checkpoint, file.name
    for file in records.files:
        yield ("README.md" if file.name == CARD else f"records/{file.name}"), records, file.name


def _named(checkpoint: Snapshot, records: Snapshot) -> Sequence[dict[str, Any]]:
    digests = {
        (one.asset, file.name): file.sha256 for one in (checkpoint, records) for file in one.files
    }
    return [
        {"name": name, "sha256": digests[source.asset, own]}
        | ({"statement": source.statement_digest} if source is checkpoint else {})
        for name, source, own in _placed(checkpoint, records)
    ]


def _sources(catalog: Catalog, made: Snapshot) -> Iterator[tuple[str, Path]]:
    """Name and verified path of every file that was released."""
    key = str(made.partition)
    checkpoint = catalog.require(CHECKPOINT, key)
    version = checkpoint.json("checkpoint.json")["release"]
    for name, source, own in _placed(checkpoint, catalog.require(stage.ASSET, version)):
        yield name, source.path(own)
    for file in made.files:
        yield file.name, made.path(file.name)
