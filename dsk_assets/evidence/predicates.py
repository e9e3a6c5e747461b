"""Statements that are no materialisations: their predicate types, and how each is made.

Every type has a JSON Schema in ``schemas/``; :func:`schema` gives it by the type's address.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsk_assets.evidence.keys import CONSORTIUM, DONOR, STATEMENTS
from dsk_assets.evidence.statements import PREDICATE_TYPE as PROVENANCE
from dsk_assets.evidence.statements import STATEMENT_TYPE, timestamp
from dsk_assets.lake.digests import sha256_file, sha256_json

if TYPE_CHECKING:
    from securesystemslib.signer import Key

TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
VERIFICATION = "https://slsa.dev/verification_summary/v1"
RELEASE = "https://in-toto.io/attestation/release/v0.2"
APPROVAL = "urn:dsk:predicate:approval:v1"
WITHDRAWAL = "urn:dsk:predicate:withdrawal:v1"
ERASURE = "urn:dsk:predicate:erasure:v1"
KEY = "urn:dsk:predicate:key:v1"
POLICY = "urn:dsk:predicate:policy:v1"

_SCHEMAS = {
    PROVENANCE: "provenance.v1.json",
    TEST_RESULT: "test-result.v0.1.json",
    VERIFICATION: "verification-summary.v1.json",
    RELEASE: "release.v0.2.json",
    APPROVAL: "approval.v1.json",
    WITHDRAWAL: "withdrawal.v1.json",
    ERASURE: "erasure.v1.json",
    KEY: "key.v1.json",
    POLICY: "policy.v1.json",
}
TYPES = tuple(_SCHEMAS)
RULES = Path(__file__).parent / "verify" / "policy.json"
"""By what rules evidence is verified."""

SIGNATURES: dict[str, tuple[str, ...]] = {
    APPROVAL: (CONSORTIUM, DONOR),
    RELEASE: (CONSORTIUM, STATEMENTS),
}
"""Types that two must sign: one key of each of these roles. All others need one key of the role
``statements``. The policy statement in the log says the same."""

GROUPS: dict[str, str] = {
    "test-result": TEST_RESULT,
    "verification": VERIFICATION,
    "approval": APPROVAL,
    "release": RELEASE,
    "withdrawal": WITHDRAWAL,
    "erasure": ERASURE,
    "key": KEY,
    "policy": POLICY,
}
"""The type of the statements that lie below each folder of ``evidence/attestations``, so that
nobody files under the name of one what is signed as another. The rules say the same."""

Statement = dict[str, Any]


@cache
def schema(predicate_type: str) -> dict[str, Any]:
    """The JSON Schema of statements with a predicate of this type; ``KeyError`` for others."""
    path = Path(__file__).parent / "schemas" / _SCHEMAS[predicate_type]
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def roles(predicate_type: str) -> tuple[str, ...]:
    """The roles that sign statements of this type, one key each."""
    return SIGNATURES.get(predicate_type, (STATEMENTS,))


def subject(name: str, digest: str, statement: str | None = None) -> dict[str, Any]:
    """What a statement is about; *statement* is the digest of the statement that tells of it."""
    about: dict[str, Any] = {"name": name, "digest": {"sha256": digest}}
    return about if statement is None else {**about, "annotations": {"statement": statement}}


def about(
    subjects: Sequence[Mapping[str, Any]], predicate_type: str, predicate: Mapping[str, Any]
) -> Statement:
    """The in-toto statement about *subjects*."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": list(subjects),
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def key_statement(
    action: str,
    role: str,
    key: "Key",
    *,
    holder: str | None = None,
    development: bool = False,
    replaces: str | None = None,
    vkey: str | None = None,
    reason: str | None = None,
) -> Statement:
    """A key is added, takes the place of another (*replaces*), or is revoked.

    *holder* is an organisation's number (CVR), never a person; *vkey* the key as a witness or the
    log writes it.
    """
    predicate = {
        "action": action,
        "role": role,
        "holder": holder,
        "keyId": key.keyid,
        "key": key.to_dict(),
        "vkey": vkey,
        "replaces": replaces,
        "development": development,
        "reason": reason,
        "at": _now(),
    }
    return about([subject(f"key/{role}", key.keyid)], KEY, predicate)


def policy() -> list[dict[str, Any]]:
    """What the policy statement says: for each type, a key of each of *roles* must sign."""
    return [{"predicateType": one, "roles": list(roles(one))} for one in TYPES]


def policy_statement() -> Statement:
    """Who must sign what, and by which rules evidence is verified.

    Subjects: the canonical JSON of :func:`policy`, and the file of rules (``verify/policy.json``).
    """
    subjects = [
        subject("policy/evidence", sha256_json(policy())),
        subject("policy/verification", sha256_file(RULES)),
    ]
    return about(subjects, POLICY, {"signatures": policy(), "at": _now()})


def withdrawal(
    donation: str, landing: str, made: str, withdrawn_on: dt.date, detail: str
) -> Statement:
    """The donor has withdrawn *donation* with effect from a day.

    *landing* is the digest of its landing, *made* that of the landing's statement, *detail* that
    of the reason (see ``details``).
    """
    return about(
        [subject(f"dsk:donations/landing[{donation}]", landing, made)],
        WITHDRAWAL,
        {
            "donation": donation,
            "withdrawnOn": withdrawn_on.isoformat(),
            "detail": detail,
            "at": _now(),
        },
    )


def erasure(
    asset: str, partition: str | None, number: int, *, statement: str, detail: str, reason: str
) -> Statement:
    """The detail of another statement (its digest *statement*) has been erased."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [subject(f"detail/{detail}", detail, statement)],
        "predicateType": ERASURE,
        "predicate": {
            "asset": asset,
            "partition": partition,
            "number": number,
            "statement": statement,
            "detail": detail,
            "reason": reason,
            "at": _now(),
        },
    }


def _now() -> str:
    return timestamp(dt.datetime.now(dt.UTC))
