"""Gates statistics, language and personal_data: what was made of a donation's documents."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.gates.registry import GATES
from tests.gating import TEXTS, failed, judged, read, search
from tests.support import DONATION, documents, seed


def test_good_documents_pass(catalog: Catalog):
    read(catalog)
    decided = judged(catalog, "statistics")
    assert (decided.admitted, decided.refusals) == (True, [])
    actual = {finding.measure: finding.actual for finding in decided.findings}
    assert (actual["documents"], actual["characters_median"]) == (3, 60.0)


@pytest.mark.parametrize(
    ("measure", "severity", "make"),
    [
        ("duplicate_ids", "critical", lambda t: {"table": pa.concat_tables([t, t.slice(0, 1)])}),
        ("files_without_outcome", "critical", lambda t: {"file_id": ["e" * 64]}),
        ("files_without_outcome", "critical", lambda t: {"outcome": ["lost"]}),
        ("documents_unaccounted", "critical", lambda t: {"documents": [4]}),
        ("share_of_files_unread", "warning", lambda t: {"outcome": ["unsupported"]}),
        ("share_of_empty_documents", "warning", lambda t: {"table": lengths(t, [0, 90, 90])}),
        ("characters_median", "warning", lambda t: {"table": lengths(t, [9, 9, 99])}),
        ("characters_max", "warning", lambda t: {"table": lengths(t, [50, 50, 60_000_000])}),
    ],
)
def test_each_fault_of_documents_is_found(
    catalog: Catalog, measure: str, severity: str, make: Callable[[pa.Table], dict[str, Any]]
):
    read(catalog, **make(documents(TEXTS)))
    verdict = GATES["statistics"].judge(catalog, DONATION)
    assert {name: one.severity for name, one in failed(verdict).items()} == {measure: severity}
    assert admission.decision(verdict).admitted is (severity == "warning")


def lengths(table: pa.Table, n_char: list[int]) -> pa.Table:
    return table.set_column(table.schema.get_field_index("n_char"), "n_char", [n_char])


def test_a_donation_without_documents_is_refused(catalog: Catalog):
    read(catalog, documents({}).cast(documents(TEXTS).schema))
    verdict = GATES["statistics"].judge(catalog, DONATION)
    assert list(failed(verdict)) == ["documents", "characters"]


def tag(catalog: Catalog, shares: list[float], ids: list[str] | None = None) -> None:
    read(catalog)
    table = pa.table(
        {
            "doc_id": ids or list(TEXTS),
            "accepted_share": pa.array(shares, pa.float64()),
            "n_char": pa.array([100] * len(shares), pa.int64()),
        }
    )
    seed(catalog, "filtering/language", DONATION, tables={"language": table})


@pytest.mark.parametrize(
    ("shares", "severities"),
    [
        ([1.0, 1.0, 1.0], []),
        ([1.0, 1.0, 0.4], []),
        ([1.0, 0.0, 0.0], ["warning"]),
        ([0.5, 0.0, 0.0], ["critical", "warning"]),
        ([0.0, 0.0, 0.0], ["critical", "warning"]),
    ],
)
def test_a_donation_with_some_foreign_text_passes_and_a_foreign_one_not(
    catalog: Catalog, shares: list[float], severities: list[str]
):
    tag(catalog, shares)
    decided = judged(catalog, "language")
    assert [one.severity for one in decided.findings if not one.passed] == severities
    assert decided.admitted is ("critical" not in severities)
    assert decided.findings[-1].actual == pytest.approx(sum(shares) / 3, abs=1e-6)


@pytest.mark.parametrize("ids", [["d1", "d2"], ["d1", "d2", "d2"], ["d1", "d2", "other"]])
def test_each_document_has_one_language(catalog: Catalog, ids: list[str]):
    tag(catalog, [1.0] * len(ids), ids)
    assert not judged(catalog, "language").admitted


WITHHELD = ["kept", "kept", "withheld"]


ONE_UNSEARCHED = {
    "doc_id": ["d1", "d2"],
    "outcome": ["kept", "kept"],
    "reason": pa.array([None, None], pa.string()),
    "residual": [0, 0],
}


@pytest.mark.parametrize(
    ("expected", "written", "outcome"),
    [
        ({}, None, {}),
        ({"residual_findings": "critical"}, None, {"residual": [0, 2, 0]}),
        ({"residual_findings": "critical"}, None, {"residual": [0, None, 0]}),
        ({"documents_against_outcome": "critical"}, ["d1", "d2"], {}),
        (
            {"documents_against_outcome": "critical", "share_withheld": "warning"},
            None,
            {"outcome": WITHHELD},
        ),
        ({"share_withheld": "warning"}, ["d1", "d2"], {"outcome": WITHHELD, "residual": [0, 0, 3]}),
        (
            {"recogniser_errors": "critical", "share_withheld": "warning"},
            ["d1", "d2"],
            {"outcome": WITHHELD, "reason": [None, None, "recogniser-error"]},
        ),
        (
            {"recogniser_errors": "critical", "share_withheld": "warning"},
            ["d1", "d2"],
            {"outcome": WITHHELD, "reason": [None, None, "recogniser-stopped"]},
        ),
        (
            {"recogniser_errors": "critical", "recogniser_errors_kept": "critical"},
            None,
            {"reason": [None, None, "recogniser-error"]},
        ),
        ({"documents_without_one_outcome": "critical"}, None, {"doc_id": ["d1", "d2", "d9"]}),
        ({"documents_without_one_outcome": "critical"}, None, ONE_UNSEARCHED),
        (
            {"documents_kept": "critical", "share_withheld": "warning"},
            [],
            {"outcome": ["withheld"] * 3},
        ),
    ],
)
def test_what_the_search_for_personal_data_left(
    catalog: Catalog,
    expected: dict[str, str],
    written: list[str] | None,
    outcome: dict[str, list[Any]],
):
    if "doc_id" in outcome:
        written = outcome["doc_id"]
    search(catalog, pa.array(written, pa.string()) if written == [] else written, **outcome)
    verdict = GATES["personal_data"].judge(catalog, DONATION)
    found = {name: one.severity for name, one in failed(verdict).items()}
    assert found.pop("reviewed") == found.pop("recall_measured") == "warning"
    assert found == expected
    assert admission.decision(verdict).admitted is ("critical" not in expected.values())


@pytest.mark.parametrize(("planted", "missed"), [(299, 0), (324, 1), (0, 0)])
def test_a_missed_canary_or_too_few_of_them_refuse(catalog: Catalog, planted: int, missed: int):
    search(catalog, canaries=(planted, missed))
    decided = judged(catalog, "personal_data")
    assert not decided.admitted and len(decided.refusals) == 1


def review(catalog: Catalog, screened: Snapshot, bound: float) -> None:
    digest = screened.only("document/").digest
    content = {"documents": digest, "bound": bound}
    seed(catalog, "filtering/review", DONATION, files={"review.json": content})


@pytest.mark.parametrize(("bound", "admits"), [(0.0, True), (249.9, True), (250.1, False)])
def test_a_review_is_judged_against_the_donations_limit(
    catalog: Catalog, bound: float, admits: bool
):
    screened = search(catalog)
    assert judged(catalog, "personal_data").admitted
    review(catalog, screened, bound)
    decided = judged(catalog, "personal_data")
    actual = {one.measure: one.actual for one in decided.findings}
    assert (decided.admitted, actual["reviewed"], actual["leaks_at_most"]) == (admits, 1, bound)


def test_a_review_of_other_texts_does_not_count(catalog: Catalog):
    review(catalog, search(catalog), 1.0)
    search(catalog, written=["d1", "d2"], outcome=WITHHELD)
    actual = {one.measure: one.actual for one in judged(catalog, "personal_data").findings}
    assert (actual["reviewed"], actual["leaks_at_most"]) == (0, None)


def measured(catalog: Catalog, digests: dict[str, str], recall: float, group: float) -> None:
    seed(
        catalog, "filtering/recall", files={"scores.json": {"digests": digests}},
        counts={
            "recall": {"PERSON": 0.9, "DK_CPR": 1.0, "ADDRESS": recall},
            "recall_by_group": {"Turkish": group},
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("digests", "recall", "group", "warned"),
    [
        ({"recognisers": "1"}, 0.98, 0.95, set()),
        ({"recognisers": "1"}, 0.96, 0.95, {"recall_of_identifiers"}),
        ({"recognisers": "1"}, 0.98, 0.89, {"recall_of_name_groups"}),
        ({"recognisers": "2"}, 0.98, 0.95, {"recall_measured"}),
        ({"recognisers": "1", "name_engine": "3"}, 0.5, 0.5, {"recall_measured"}),
    ],
)
def test_measured_recall_counts_where_the_same_recognisers_searched(
    catalog: Catalog, digests: dict[str, str], recall: float, group: float, warned: set[str]
):
    search(catalog, config={"digests": {"recognisers": "1"}})
    measured(catalog, digests, recall, group)
    decided = judged(catalog, "personal_data")
    assert decided.admitted, "recall is a warning: what is in a donation is judged by itself"
    found = {one.measure: one for one in decided.findings}
    assert {name for name, one in found.items() if not one.passed} == {*warned, "reviewed"}
    known = "recall_measured" not in warned
    assert found["recall_of_identifiers"].actual == (recall if known else None)
    assert found["recall_of_names"].actual == (0.9 if known else None)


def test_a_new_measurement_judges_again(catalog: Catalog):
    search(catalog, config={"digests": {"recognisers": "1"}})
    before = GATES["personal_data"].judge(catalog, DONATION)
    assert GATES["personal_data"].judge(catalog, DONATION) == before
    measured(catalog, {"recognisers": "1"}, 0.98, 0.95)
    assert GATES["personal_data"].judge(catalog, DONATION) != before
