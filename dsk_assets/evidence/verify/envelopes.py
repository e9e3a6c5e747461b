"""Signed statements as verification reads them: strictly, and with nothing taken on trust.

An envelope is DSSE (https://github.com/secure-systems-lab/dsse), its payload an in-toto
Statement v1 in canonical JSON (RFC 8785).
"""

import base64
import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
SHA_256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Input:
    """An input that a statement names; *statement* is the digest of the one that made it."""

    uri: str
    digest: str
    statement: str | None
    only: tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """What verification needs of one statement.

    *digest* is that of the payload, *envelope* that of the whole file, *index* the position in
    the log (None outside it). *signed* are the ids of the keys whose signature it carries,
    *signers* those whose signature is right. *files* are names and digests of the subjects,
    *attests* the digests of statements that the subjects point to. *problems* are contradictions
    within the statement.
    """

    place: str
    index: int | None
    digest: str
    envelope: str
    predicate_type: str
    asset: str
    partition: str | None
    number: int
    folder: str = ""
    files: tuple[tuple[str, str], ...] = ()
    inputs: tuple[Input, ...] = ()
    attests: tuple[str, ...] = ()
    started: str = ""
    finished: str = ""
    previous: str | None = None
    run: str = ""
    counts: Mapping[str, Any] = field(default_factory=dict)
    valid_until: str | None = None
    predicate: Mapping[str, Any] = field(default_factory=dict)
    signed: frozenset[str] = frozenset()
    signers: frozenset[str] = frozenset()
    problems: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """``asset`` or ``asset[partition]``."""
        return f"{self.asset}[{self.partition}]" if self.partition else self.asset

    def digest_of(self, only: tuple[str, ...] = ()) -> str:
        """The digest of its files, or of those whose names start with one of *only*."""
        return digest_of(self.files, only)


class Unreadable(ValueError):
    """Bytes that are not a statement in the form the platform writes."""


@lru_cache(maxsize=8192)
def digest_of(files: tuple[tuple[str, str], ...], only: tuple[str, ...]) -> str:
    """One digest for named files, as the catalog takes it."""
    chosen = [list(file) for file in sorted(files) if not only or file[0].startswith(only)]
    return hashlib.sha256(canonical(chosen)).hexdigest()


class _Number(str):
    """A fraction in the very characters that stand in the statement."""


def parse(data: bytes) -> Any:
    """The value of *data*, which must be canonical JSON; raises :class:`Unreadable` otherwise.

    Python writes most values as RFC 8785 does, except some fractions: where it does not, they
    are kept as they stand.
    """
    return _parse(data)[0]


def _parse(data: bytes) -> tuple[Any, Callable[[Any], bytes]]:
    """The value of *data*, and the function that writes any part of it as canonical JSON."""
    try:
        value = json.loads(data)
        if canonical(value) == data:
            return value, canonical
        value = json.loads(data, parse_float=_Number)
        if _as_it_stands(value) != data:
            raise Unreadable("not canonical JSON")
    except RecursionError:
        raise Unreadable("nested too deep") from None
    return value, _as_it_stands


def canonical(value: Any) -> bytes:
    """Canonical JSON of a value without fractions."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _as_it_stands(value: Any) -> bytes:
    return "".join(_canonical(value)).encode()


def _canonical(value: Any) -> Iterable[str]:
    if isinstance(value, _Number):
        yield value
    elif isinstance(value, Mapping):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        for mark, name in zip(["{"] + [","] * len(names), names, strict=False):
            yield f"{mark}{json.dumps(name, ensure_ascii=False)}:"
            yield from _canonical(value[name])
        yield "}" if names else "{}"
    elif isinstance(value, (list, tuple)):
        for mark, item in zip(["["] + [","] * len(value), value, strict=False):
            yield mark
            yield from _canonical(item)
        yield "]" if value else "[]"
    else:
        yield json.dumps(value, ensure_ascii=False)


def unseal(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Payload and signatures by key id of an envelope; raises :class:`Unreadable`."""
    try:
        content = parse(data)
        if content["payloadType"] != PAYLOAD:
            raise Unreadable("another type of payload")
        signatures = {
            one["keyid"]: base64.b64decode(one["sig"], validate=True)
            for one in content["signatures"]
        }
        return base64.b64decode(content["payload"], validate=True), signatures
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"not an envelope: {error}") from None


def pae(payload: bytes) -> bytes:
    """What a signature is over: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %b %d %b" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


@lru_cache(maxsize=1024)
def _public_key(public: str) -> Any:
    if SHA_256.fullmatch(public):  # as many digits as an Ed25519 key has
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return load_pem_public_key(public.encode())


def is_signed_by(public: str, signature: bytes, message: bytes) -> bool:
    """Whether *signature* over *message* is by the key *public*: Ed25519, or ECDSA on P-256.

    Ed25519 keys are 64 hexadecimal digits or PEM, the others PEM, as securesystemslib has them.
    """
    try:
        key = _public_key(public)
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        elif isinstance(key, EllipticCurvePublicKey) and key.curve.name == "secp256r1":
            key.verify(signature, message, ECDSA(SHA256()))
        else:
            return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def read_statement(
    data: bytes, keys: Mapping[str, str], place: str, index: int | None = None
) -> Statement:
    """The statement in an envelope's bytes; *keys* are public keys by key id.

    *place* is the envelope's path: the statement must be about the asset, partition and number
    that the path names. Raises :class:`Unreadable`.
    """
    payload, signatures = unseal(data)
    message = pae(payload)
    signers = frozenset(
        name
        for name, signature in signatures.items()
        if name in keys and is_signed_by(keys[name], signature, message)
    )
    try:
        content, write = _parse(payload)
        if content["_type"] != STATEMENT:
            raise Unreadable("not an in-toto statement")
        asset, partition, number = _named_by(place)
        found: dict[str, Any] = {
            "place": place,
            "index": index,
            "digest": hashlib.sha256(payload).hexdigest(),
            "envelope": hashlib.sha256(data).hexdigest(),
            "predicate_type": _text(content["predicateType"]),
            "asset": asset,
            "partition": partition,
            "number": number,
            "signed": frozenset(signatures),
            "signers": signers,
        }
        if content["predicateType"] == PROVENANCE:
            return Statement(**found, **_provenance(content, asset, partition, write))
        return Statement(**found, **_attestation(content))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(str(error)) from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unreadable("not a text")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Unreadable("not an object")
    return value


def _digest(named: Any) -> str:
    digest = _text(named["digest"]["sha256"])
    if not SHA_256.fullmatch(digest):
        raise Unreadable("not a digest")
    return digest


def log_entry(one: Statement) -> bytes:
    """The entry of the log that stands for a statement: canonical JSON, what the tree hashes."""
    return canonical(
        {
            "asset": one.asset,
            "partition": one.partition,
            "number": one.number,
            "predicateType": one.predicate_type,
            "envelope": one.envelope,
            "statement": one.digest,
        }
    )


def _named_by(place: str) -> tuple[str, str | None, int]:
    """Asset, partition and number from ``…/<group>/<noun>/<partition>/<nnnnnn>.json``."""
    *_, group, noun, partition, name = place.split("/")
    return f"{group}/{noun}", None if partition == "_" else partition, int(name.split(".")[0])


def _attestation(content: Mapping[str, Any]) -> dict[str, Any]:
    subjects = content["subject"]
    return {
        "files": tuple((_text(one["name"]), _digest(one)) for one in subjects),
        "attests": tuple(
            _text(one["annotations"]["statement"])
            for one in subjects
            if "statement" in one.get("annotations", {})
        ),
        "predicate": _mapping(content["predicate"]),
    }


def _provenance(
    content: Mapping[str, Any],
    asset: str,
    partition: str | None,
    write: Callable[[Any], bytes],
) -> dict[str, Any]:
    definition = content["predicate"]["buildDefinition"]
    internal = definition["internalParameters"]
    run = content["predicate"]["runDetails"]["metadata"]
    own = content["predicate"]["dsk"]
    inputs = tuple(_named_input(one) for one in definition["resolvedDependencies"])
    folder = own["folder"]
    files = tuple(
        (_text(one["name"]).removeprefix(f"{folder}/"), _digest(one)) for one in content["subject"]
    )
    problems = []
    about = definition["externalParameters"]
    if (about["asset"], about["partition"]) != (asset, partition):
        problems.append(("statement-inconsistent", "it lies where another asset's belongs"))
    outside = [
        one["name"] for one in content["subject"] if not one["name"].startswith(f"{folder}/")
    ]
    leaving = any(".." in name.split("/") or "\0" in name for name, _ in (*files, (folder, "")))
    if outside or leaving or len({name for name, _ in files}) != len(files):
        problems.append(("statement-inconsistent", "its files are not those of one folder"))
    if not folder.endswith(f"/{asset}/{partition or '_'}/{internal['fingerprint'][:16]}"):
        problems.append(("statement-inconsistent", "its folder is not that of its fingerprint"))
    if internal["fingerprint"] not in _fingerprints(asset, partition, internal, inputs, own, write):
        problems.append(("inputs-incomplete", "inputs or configuration give another fingerprint"))
    for moment in (run["startedOn"], run["finishedOn"]):
        if not MOMENT.fullmatch(moment):
            raise Unreadable("not a time in UTC")
        dt.datetime.fromisoformat(moment)
    if run["finishedOn"] < run["startedOn"]:
        problems.append(("time-backwards", f"{run['startedOn']} to {run['finishedOn']}"))
    return {
        "folder": folder,
        "files": files,
        "inputs": inputs,
        "started": run["startedOn"],
        "finished": run["finishedOn"],
        "previous": _text_or_none(own["previous"]),
        "run": _text(run["invocationId"]),
        "counts": _mapping(own["counts"]),
        "valid_until": _text_or_none(internal["config"].get("validUntil")),
        "problems": tuple(problems),
    }


def _named_input(descriptor: Mapping[str, Any]) -> Input:
    annotations = descriptor.get("annotations", {})
    return Input(
        _text(descriptor["uri"]),
        _digest(descriptor),
        _text_or_none(annotations.get("statement")),
        tuple(_text(one) for one in annotations.get("only", ())),
    )


def _fingerprints(
    asset: str,
    partition: str | None,
    internal: Mapping[str, Any],
    inputs: Iterable[Input],
    own: Mapping[str, Any],
    write: Callable[[Any], bytes],
) -> Iterable[str]:
    """The fingerprints that inputs and configuration may give: with the inputs, or frozen.

    That of a frozen asset says nothing of its inputs, so their own digest must be the one named.
    """

    def fingerprint(covered: Sequence[Sequence[str]]) -> str:
        content = {
            "asset": asset,
            "partition": partition,
            "config": internal["config"],
            "codeVersion": internal["codeVersion"],
            "inputs": covered,
        }
        return hashlib.sha256(write(content)).hexdigest()

    named = sorted([one.uri, one.digest] for one in inputs)
    yield fingerprint(named)
    if own.get("inputsDigest") == hashlib.sha256(canonical(named)).hexdigest():
        yield fingerprint([])
