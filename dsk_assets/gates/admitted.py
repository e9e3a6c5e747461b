"""Admission of a donation: all its gates at once, and the demand for them before its text is used.

``filtering/admitted`` is made for a donation that every gate of the screening admits. It names the
digests that were judged, so :func:`require_admitted` notices a later refusal, other bytes and a
date that has passed.
"""

from typing import Any

from dsk_assets.consortium.policy import PersonalDataPolicy, policy_for
from dsk_assets.errors import CorruptedError, NotAdmittedError
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.lake.digests import sha256_json
from dsk_assets.lake.store import Zone

ASSET = "filtering/admitted"
LANDING = "donations/landing"
PERSONAL_DATA = "filtering/personal_data"
ADMISSION = "admission.json"
CODE_VERSION = "1"
PRINCIPLE = "3"

SCREENING = (
    ("approval", LANDING),
    ("statistics", "donations/documents"),
    ("language", "filtering/language"),
    ("personal_data", PERSONAL_DATA),
)
"""The gates of the screening in the order of the flow, each with the asset it judges."""


def admitted(catalog: Catalog, donation: str) -> Snapshot:
    """The donation's admission: every gate of the screening admits its present bytes today.

    Writes ``admission.json``: ``donation``, ``principle``, ``validUntil`` (the earliest day on
    which one of the decisions ends, or null) and ``gates``, a list of ``gate``, ``judged`` and
    ``judgedDigest``. Raises :class:`NotAdmittedError` with the reasons when a gate refuses, or
    has not judged what is there now.
    """
    verdicts, admission_today = _screening(catalog, donation)

    def produce(out: Output) -> None:
        out.json(ADMISSION, admission_today)
        out.count(gates=len(verdicts))

    return catalog.materialise(
        ASSET,
        donation,
        zone=Zone.EVIDENCE,
        inputs=verdicts,
        config=admission_today,
        code_version=CODE_VERSION,
        produce=produce,
    )


def require_admitted(catalog: Catalog, donation: str) -> Snapshot:
    """The donation's admission while it is in force; give it on as an input.

    It is in force when every gate's newest decision admits the present bytes and is valid today,
    and the admission was made from those very decisions. Raises :class:`NotAdmittedError`
    otherwise.
    """
    snapshot = catalog.latest(ASSET, donation)
    if snapshot is None:
        raise NotAdmittedError(
            f"{donation} has not been admitted by the gates — materialise {ASSET} first"
        )
    _, admission_today = _screening(catalog, donation)
    if snapshot.json(ADMISSION) != admission_today:
        raise NotAdmittedError(
            f"{donation} was admitted by other gate decisions than the present ones — "
            f"materialise {ASSET} again"
        )
    return snapshot


def admitted_donations(catalog: Catalog) -> list[str]:
    """Keys of the donations in use: current, with an admission in force; sorted."""
    keys = []
    for donation in current_donations(catalog):
        try:
            require_admitted(catalog, donation)
        except NotAdmittedError:
            continue
        keys.append(donation)
    return keys


def current_donations(catalog: Catalog) -> list[str]:
    """Keys of the landed donations that no other version or donation replaces; sorted.

    The newest version of a donation is the current one also when a gate refuses it: its donor
    has replaced the older ones.
    """
    newest: dict[str, str] = {}
    for key in catalog.partitions(LANDING):
        identifier = key.partition("@")[0]
        newest[identifier] = max(key, newest.get(identifier, key), key=_version)
    replaced = set()
    for identifier, key in newest.items():
        superseded = _superseded(catalog, key)
        if superseded and superseded.partition("@")[0] != identifier:
            replaced.add(superseded)
    return sorted(
        key
        for identifier, key in newest.items()
        if key not in replaced and identifier not in replaced
    )


def _superseded(catalog: Catalog, key: str) -> str | None:
    """What a landed donation says it replaces; a damaged landing, reported elsewhere, nothing."""
    try:
        manifest = catalog.require(LANDING, key).json("manifest.json")
    except CorruptedError:
        return None
    return str(manifest["supersedes"]) if manifest.get("supersedes") else None


def _version(key: str) -> tuple[int, ...]:
    return tuple(int(number) for number in key.partition("@")[2].split("."))


def _screening(catalog: Catalog, donation: str) -> tuple[list[Snapshot], dict[str, Any]]:
    """The verdicts that admit the donation today, and the content of its admission.

    What was searched for personal data by another policy than the present one is not admitted:
    the policy may since demand more.
    """
    verdicts = []
    decisions = []
    for gate, asset in SCREENING:
        judged = catalog.latest(asset, donation)
        if judged is None:
            raise NotAdmittedError(
                f"{asset}[{donation}] has not been materialised, so gate {gate} could not judge "
                "it — materialise it first"
            )
        verdict, decided = admission.admitting(catalog, gate, judged)
        searched_by = _config(judged).get("policyDigest") if asset == PERSONAL_DATA else None
        if searched_by not in (None, _present(catalog, donation)):
            raise NotAdmittedError(
                f"{judged.key} was made by another policy than the donation has now — "
                "materialise it again"
            )
        verdicts.append(verdict)
        decisions.append(decided)
    ends = [decided.valid_until for decided in decisions if decided.valid_until is not None]
    return verdicts, {
        "donation": donation,
        "principle": PRINCIPLE,
        "validUntil": min(ends).isoformat() if ends else None,
        "gates": [
            {
                "gate": decided.gate,
                "judged": decided.judged,
                "judgedDigest": decided.judged_digest,
            }
            for decided in decisions
        ],
    }


def _config(snapshot: Snapshot) -> dict[str, Any]:
    build = snapshot.statement["predicate"]["buildDefinition"]
    config: dict[str, Any] = build["internalParameters"]["config"]
    return config


def _present(catalog: Catalog, donation: str) -> str:
    policy = policy_for(catalog.settings.consortium, donation.partition("@")[0])
    return policy_digest(policy.personal_data)


def policy_digest(policy: PersonalDataPolicy) -> str:
    """SHA-256 of *policy*, as the statement of a search names it in ``policyDigest``."""
    return sha256_json(policy.model_dump(mode="json"))
