"""Asset filtering/personal_data: tables, counts, gates, and that no value leaves the text."""

import logging
import re
from pathlib import Path

import pyarrow.compute as pc
import pytest

from dsk_assets.defs import metadata
from dsk_assets.errors import NotAdmittedError, SettingsError
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.gates.admitted import admitted, require_admitted
from dsk_assets.gates.registry import GATES
from dsk_assets.lake.digests import sha256_json, sha256_text
from dsk_assets.lake.store import Zone
from dsk_assets.privacy import guarded, scores, stage
from dsk_assets.privacy.entities import PRIORITY
from dsk_assets.privacy.stage import CANARY, DOCUMENT, PII_OUTCOME, PII_SPAN, personal_data
from dsk_assets.settings import load_settings
from tests.engines import TRIGGER
from tests.support import DONATION, admit, documents, seed

VALUES = ("170389-1234", "67 12 34 56", "Xarquo", "Bundgaard", "anna.b@example.dk", "Prøvevej 12")
TEXTS = {
    "a" * 32: "Borger: Xarquo Bundgaard, cpr 170389-1234, Prøvevej 12, 4000 Roskilde.",
    "b" * 32: "Skriv til anna.b@example.dk eller ring på 67 12 34 56. Bundgaard har epilepsi.",
    "c" * 32: "En ganske almindelig tekst om vejret i Jylland.",
    "d" * 32: "\n".join(f"mobil 6712345{n}" for n in range(10)) + "\nmobil 68123456",
    "e" * 32: "",
}


@pytest.fixture
def consortium(tmp_path: Path) -> Path:
    policies = tmp_path / "consortium" / "policies"
    policies.mkdir(parents=True)
    (policies / "default.yaml").write_text('name: default\nversion: "1.0"\n', "utf-8")
    return policies.parent


def catalog_for(tmp_path: Path, consortium: Path, workers: int = 1) -> Catalog:
    return Catalog(
        load_settings(home=tmp_path / f"dsk{workers}", workers=workers, consortium=consortium)
    )


def donate(catalog: Catalog, texts: dict[str, str]) -> None:
    landing = seed(catalog, "donations/landing", DONATION, zone=Zone.RESTRICTED)
    table = documents(texts)
    judged = seed(
        catalog,
        "donations/documents",
        DONATION,
        zone=Zone.RESTRICTED,
        tables={"document": table, "source_file": table.select(["file_id"])},
    )
    admit(catalog, "approval", landing)
    admit(catalog, "statistics", judged)


def outside_restricted(catalog: Catalog) -> list[str]:
    """All files that were written, and the content of the tables."""
    root = catalog.settings.home
    files = [p for p in root.rglob("*") if p.is_file() and "restricted" not in p.parts]
    assert any("pii_span" in str(path) for path in files)
    snapshot = catalog.require("filtering/personal_data", DONATION)
    tables = [str(snapshot.table(name).to_pylist()) for name in ("document", "pii_span", "canary")]
    return [*(path.read_bytes().decode("utf-8", "replace") for path in files), *tables]


@pytest.fixture
def catalog(tmp_path: Path, consortium: Path) -> Catalog:
    catalog = catalog_for(tmp_path, consortium)
    donate(catalog, TEXTS)
    return catalog


@pytest.fixture
def snapshot(catalog: Catalog) -> Snapshot:
    return personal_data(catalog, DONATION)


def test_every_document_has_one_outcome_and_kept_ones_their_redacted_text(
    snapshot: Snapshot,
) -> None:
    outcomes = snapshot.table("pii_outcome")
    assert outcomes.schema.equals(PII_OUTCOME)
    assert outcomes["doc_id"].to_pylist() == list(TEXTS)
    assert outcomes["reason"].to_pylist() == [None, None, None, "density", None]
    kept = snapshot.table("document")
    assert kept.schema.equals(DOCUMENT)
    assert kept["doc_id"].to_pylist() == [key for key in TEXTS if key[0] != "d"]
    assert kept["text"].to_pylist()[0] == "Borger: <PERSON>, cpr <DK_CPR>, <ADDRESS>."
    assert kept["text"].to_pylist()[2] == TEXTS["c" * 32]
    texts = kept["text"].to_pylist()
    assert kept["text_sha256"].to_pylist() == [sha256_text(text) for text in texts]
    assert kept["n_char"].to_pylist() == [len(text) for text in texts]


def test_spans_point_at_placeholders_in_the_redacted_text(snapshot: Snapshot) -> None:
    spans = snapshot.table("pii_span")
    assert spans.schema.equals(PII_SPAN)
    texts = dict(
        zip(*(snapshot.table("document")[c].to_pylist() for c in ("doc_id", "text")), strict=True)
    )
    for span in spans.to_pylist():
        assert texts[span["doc_id"]][span["start"] : span["end"]] == f"<{span['entity_type']}>"


def test_counts_say_what_was_found_and_done(snapshot: Snapshot) -> None:
    counts = snapshot.counts
    assert counts["documents"] == 5 and counts["kept"] == 4
    assert counts["withheld"] == {"density": 1}
    assert counts["findings"]["DK_CPR"] == 1 and counts["findings"]["PHONE_NUMBER"] == 12
    assert counts["actions"] == {"placeholder": snapshot.table("pii_span").num_rows}
    assert counts["residual"] == 0
    assert sum(counts["scores"].values()) == snapshot.table("pii_span").num_rows
    assert all(re.fullmatch(r"[01]\.\d\d–[01]\.\d\d", band) for band in counts["scores"])
    assert counts["special_categories"] == {"health": 1}
    assert counts["words"] == pc.sum(snapshot.table("document")["n_word"]).as_py()


def test_no_value_is_in_any_file_outside_restricted_or_in_a_log(
    catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    personal_data(catalog, DONATION)
    haystack = outside_restricted(catalog)
    for value in VALUES:
        assert value not in caplog.text
        assert not any(value in text for text in haystack)
        assert not any(sha256_text(value) in text for text in haystack)


def test_a_failing_recogniser_withholds_documents_without_a_word_of_their_text(
    tmp_path: Path, consortium: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(guarded, "ENGINE", "tests.engines:raising")
    catalog = catalog_for(tmp_path, consortium)
    donate(catalog, {key: f"{text} {TRIGGER}" if key[0] in "ab" else text
                     for key, text in TEXTS.items()})  # fmt: skip
    snapshot = personal_data(catalog, DONATION)
    reasons = snapshot.table("pii_outcome")["reason"].to_pylist()
    assert reasons == ["recogniser-error", "recogniser-error", None, "density", None]
    assert snapshot.counts["withheld"] == {"density": 1, "recogniser-error": 2}
    decided = admission.decision(GATES["personal_data"].judge(catalog, DONATION))
    assert not decided.admitted
    shown = "".join((*capfd.readouterr(), caplog.text, str(decided.as_json())))
    assert not any(value in shown for value in VALUES)
    assert not any(value in text for value in VALUES for text in outside_restricted(catalog))


def test_a_disabled_recogniser_turns_the_gate_red(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    personal_data(catalog, DONATION)
    assert admission.decision(GATES["personal_data"].judge(catalog, DONATION)).admitted
    monkeypatch.setattr(guarded, "ENGINE", "tests.engines:without_cpr")
    monkeypatch.setattr(stage, "CODE_VERSION", "blind")
    snapshot = personal_data(catalog, DONATION)
    assert snapshot.counts["canaries_missed"]["DK_CPR"] > 100
    decided = admission.decision(GATES["personal_data"].judge(catalog, DONATION))
    failed = {one.measure for one in decided.findings if not one.passed}
    assert failed == {"residual_findings", "canaries_missed", "reviewed", "recall_measured"}
    with pytest.raises(NotAdmittedError, match="planted"):
        admission.require(catalog, "personal_data", snapshot)


def test_canaries_are_planted_in_copies_only(snapshot: Snapshot) -> None:
    canaries = snapshot.table("canary")
    assert canaries.schema.equals(CANARY)
    assert sum(canaries["planted"].to_pylist()) == snapshot.counts["canaries"] >= 300
    assert sum(canaries["missed"].to_pylist()) == 0 and not snapshot.counts["canaries_missed"]
    assert {"DK_CPR", "PHONE_NUMBER", "EMAIL_ADDRESS", "PERSON"} <= {
        *canaries["entity_type"].to_pylist()
    }
    kept = " ".join(snapshot.table("document")["text"].to_pylist())
    assert "bruger" not in kept and snapshot.table("document").num_rows == 4


def test_a_donation_without_documents_has_its_canaries_too(
    tmp_path: Path, consortium: Path
) -> None:
    catalog = catalog_for(tmp_path, consortium)
    donate(catalog, {})
    assert personal_data(catalog, DONATION).counts["canaries"] >= 300


def test_processes_write_what_one_process_writes(
    tmp_path: Path, consortium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_PARALLEL_FROM", 0)
    monkeypatch.setattr(stage, "_ROWS", 7)
    texts = {f"{n:032x}": f"{n}: {text}" for n, text in enumerate([*TEXTS.values()] * 8)}
    digests = []
    for workers in (1, 2):
        catalog = catalog_for(tmp_path, consortium, workers)
        donate(catalog, texts)
        digests.append(personal_data(catalog, DONATION).digest)
    assert digests[0] == digests[1]


def test_documents_are_not_searched_before_both_gates_admit_them(
    tmp_path: Path, consortium: Path
) -> None:
    catalog = catalog_for(tmp_path, consortium)
    donate(catalog, TEXTS)
    admit(catalog, "statistics", catalog.require("donations/documents", DONATION), admitted=False)
    with pytest.raises(NotAdmittedError):
        personal_data(catalog, DONATION)


def test_a_policy_that_keeps_cpr_numbers_is_refused(catalog: Catalog, consortium: Path) -> None:
    path = consortium / "policies" / "default.yaml"
    kept = "{entity: DK_CPR, role: author, provenance: none at all}"
    path.write_text(f'name: default\nversion: "1.1"\npersonal_data:\n  keep: [{kept}]\n', "utf-8")
    with pytest.raises(SettingsError, match="DK_CPR"):
        personal_data(catalog, DONATION)


def test_another_policy_makes_the_asset_stale(catalog: Catalog, consortium: Path) -> None:
    first = personal_data(catalog, DONATION)
    assert personal_data(catalog, DONATION).statement_digest == first.statement_digest
    path = consortium / "policies" / "default.yaml"
    path.write_text(
        'name: default\nversion: "1.1"\npersonal_data:\n  actions: {PERSON: pseudonym}\n', "utf-8"
    )
    second = personal_data(catalog, DONATION)
    assert second.statement_digest != first.statement_digest
    assert second.table("document")["text"].to_pylist()[0].startswith("Borger: <PERSON_1>")


def test_an_admission_ends_with_the_policy_that_the_texts_were_searched_by(
    catalog: Catalog, consortium: Path
) -> None:
    admit(catalog, "language", seed(catalog, "filtering/language", DONATION))

    def search_and_admit() -> None:
        personal_data(catalog, DONATION)
        GATES["personal_data"].judge(catalog, DONATION)
        admitted(catalog, DONATION)
        require_admitted(catalog, DONATION)

    search_and_admit()
    path = consortium / "policies" / "default.yaml"
    path.write_text('name: default\nversion: "1.1"\npersonal_data:\n  max_density: 2\n', "utf-8")
    with pytest.raises(NotAdmittedError, match="another policy"):
        require_admitted(catalog, DONATION)
    search_and_admit()


@pytest.mark.parametrize("setting", ["personal_data: {max_density: .inf}",
                                     "residual_risk: {max_leaks: .inf}"])  # fmt: skip
def test_a_limit_without_an_end_is_refused(
    catalog: Catalog, consortium: Path, setting: str
) -> None:
    path = consortium / "policies" / "default.yaml"
    path.write_text(f'name: default\nversion: "1.1"\n{setting}\n', "utf-8")
    with pytest.raises(SettingsError, match="inf"):
        personal_data(catalog, DONATION)


def test_the_statement_names_the_digests_of_policy_recognisers_and_lists(
    snapshot: Snapshot,
) -> None:
    build = snapshot.statement["predicate"]["buildDefinition"]
    config = build["internalParameters"]["config"]
    assert config["policyDigest"] == sha256_json(config["policy"])
    assert len(config["digests"]["recognisers"]) == len(config["digests"]["names.tsv"]) == 64


def test_the_ui_shows_findings_actions_canaries_and_measured_recall(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = metadata.of_snapshot(snapshot)
    columns = [one.name for one in told["dagster/column_schema"].columns]
    assert columns == DOCUMENT.names, "of the documents, not of the canaries"
    rows = {
        cells[0]: cells
        for line in told["personal data"].value.splitlines()[2:]
        for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
    }
    [cpr] = [number for name, number in snapshot.counts["findings"].items() if name == "DK_CPR"]
    assert rows["DK_CPR"] == ["DK_CPR", str(cpr), "1", "0 of 120", _recall("DK_CPR")]
    silent = set(PRIORITY) - set(snapshot.counts["findings"])
    planted = sum(
        snapshot.table("canary").filter(pc.field("entity_type").isin(silent))["planted"].to_pylist()
    )
    lowest = f"{min(scores.lowest_recall(scores.stored())[name] for name in silent):.1%}"
    assert rows[f"{len(silent)} other types"][3:] == [f"0 of {planted}", lowest]
    assert len(told["personal data"].value) < 1000, "or Dagster hides it behind a link"
    assert next(iter(told)) == "personal data", "what people look for comes first"
    assert told["recall was measured with"] == "these recognisers, lists and models"
    assert not any(value in str(told) for value in VALUES)
    other = {**scores.stored(), "digests": {}}
    monkeypatch.setattr("dsk_assets.defs.filtering.shown.stored", lambda: other)
    assert "OTHER recognisers" in metadata.of_snapshot(snapshot)["recall was measured with"]


def _recall(entity: str) -> str:
    return f"{scores.lowest_recall(scores.stored())[entity]:.1%}"
