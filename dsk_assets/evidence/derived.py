"""Statements that follow from a materialisation: what was tested, admitted, approved, released.

They say in the vocabulary of in-toto and SLSA what the materialisation holds, so that a reader
needs no knowledge of this platform's files. Each bears the number of the materialisation it is
derived from and names its statement, and is made when that one is logged; see ``sequencer``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dsk_assets.evidence import predicates
from dsk_assets.evidence.admission import Finding, asset_of, decision
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.predicates import Statement, about, subject

LANDING = "donations/landing"
MANIFEST = "manifest.json"
ADMITTED = "filtering/admitted"
CORPUS = "corpus/release"
MODEL = "transparency/records"
BUNDLE = "transparency/model_release"
CHECKPOINT = "dsk:training/checkpoint["


def is_source(asset: str) -> bool:
    """Whether statements follow from materialisations of *asset*."""
    return asset.startswith("gate/") or asset in (ADMITTED, CORPUS, MODEL, BUNDLE)


def derived(catalog: Catalog, made: Snapshot) -> Iterator[tuple[str, Statement]]:
    """Asset and content of the statements that follow from *made*.

    Raises :class:`CorruptedError` or :class:`MissingInputError` when its files are not what its
    statement says.
    """
    if made.asset.startswith("gate/"):
        yield f"test-result/{made.asset.removeprefix('gate/')}", _test_result(made)
    if made.asset == asset_of("approval") and decision(made).admitted:
        approved = _approval(catalog, made)
        if approved is not None:
            yield "approval/donation", approved
    if made.asset == ADMITTED:
        yield "verification/admitted", _verification(made)
    if made.asset == CORPUS:
        content = made.json("release.json")
        yield "release/corpus", _release(made, content["name"], _files(made))
    if made.asset == MODEL:
        checkpoints = [
            subject(one["uri"], one["digest"]["sha256"], one["annotations"]["statement"])
            for one in _dependencies(made)
            if one["uri"].startswith(CHECKPOINT)
        ]
        if checkpoints:
            yield "release/model", _release(made, "model", [*checkpoints, *_files(made)])
    if made.asset == BUNDLE:
        files = made.json("release.json")["files"]
        named = [subject(one["name"], one["sha256"], one.get("statement")) for one in files]
        own = [subject(one.name, one.sha256) for one in made.files]
        yield "release/bundle", _release(made, "model", [*named, *own])


def _test_result(made: Snapshot) -> Statement:
    decided = decision(made)

    def names(*, passed: bool, severity: str | None = None) -> list[str]:
        return [
            one.measure for one in decided.findings
            if one.passed == passed and severity in (None, one.severity)
        ]  # fmt: skip

    warned = names(passed=False, severity="warning")
    return about(
        [subject(f"dsk:{decided.judged}", decided.judged_digest, made.statement_digest)],
        predicates.TEST_RESULT,
        {
            "result": "FAILED" if not decided.admitted else "WARNED" if warned else "PASSED",
            "configuration": [
                {"name": f"expectations/{decided.gate}", "digest": {"sha256": _config(made)}}
            ],
            "url": f"dsk:{made.key}",
            "passedTests": names(passed=True),
            "warnedTests": warned,
            "failedTests": [one.measure for one in decided.findings if _refuses(one)],
        },
    )


def _refuses(finding: Finding) -> bool:
    return not finding.passed and finding.severity != "warning"


def _approval(catalog: Catalog, made: Snapshot) -> Statement | None:
    """The approval of the landing that *made* judged; None where another one is there by now."""
    decided = decision(made)
    landing = catalog.latest(LANDING, made.partition)
    if landing is None or landing.digest != decided.judged_digest:
        return None
    return about(
        [
            subject(f"dsk:{landing.key}", landing.digest, landing.statement_digest),
            subject(f"dsk:{made.key}", made.digest, made.statement_digest),
        ],
        predicates.APPROVAL,
        {
            "donation": made.partition,
            "validUntil": decided.valid_until.isoformat() if decided.valid_until else None,
            **approved(landing.json(MANIFEST)),
        },
    )


def approved(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a donation's approval takes over from its *manifest*."""
    rights = manifest["rights"]
    return {
        "donor": manifest["donor"]["cvr"],
        "agreement": rights.get("agreement_ref"),
        "licence": rights.get("licence_spdx"),
        "scope": list(rights["approval"]["scope"]),
        "approvedOn": rights["approval"]["approved_on"],
        "evidence": [one["sha256"] for one in rights["approval"]["evidence"]],
    }


def _verification(made: Snapshot) -> Statement:
    admitted = made.json("admission.json")
    run = made.statement["predicate"]["runDetails"]
    return about(
        [
            subject(f"dsk:{gate['judged']}", gate["judgedDigest"], made.statement_digest)
            for gate in admitted["gates"]
        ],
        predicates.VERIFICATION,
        {
            "verifier": run["builder"],
            "timeVerified": run["metadata"]["finishedOn"],
            "resourceUri": f"dsk:{LANDING}[{made.partition}]",
            "policy": {"uri": "urn:dsk:policy:admission", "digest": {"sha256": _config(made)}},
            "inputAttestations": [
                {"uri": one["uri"], "digest": {"sha256": one["annotations"]["statement"]}}
                for one in _dependencies(made)
            ],
            "verificationResult": "PASSED",
            "verifiedLevels": ["DSK_ADMITTED"],
        },
    )


def _release(made: Snapshot, name: str, subjects: list[dict[str, Any]]) -> Statement:
    return about(
        subjects,
        predicates.RELEASE,
        {"purl": f"pkg:generic/{name}@{made.partition}", "packageId": made.asset},
    )


def _files(made: Snapshot) -> list[dict[str, Any]]:
    return [subject(one.name, one.sha256, made.statement_digest) for one in made.files]


def _dependencies(made: Snapshot) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = made.statement["predicate"]["buildDefinition"][
        "resolvedDependencies"
    ]
    return found


def _config(made: Snapshot) -> str:
    return str(made.statement["predicate"]["dsk"]["configDigest"])
