"""What a dishonest hand with all keys does to a lake: each is named."""

import datetime as dt
import os
import shutil
from collections.abc import Sequence

import pytest

from dsk_assets.errors import CorruptedError
from dsk_assets.evidence import attestations, details, keys, proofs, sequencer
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.notes import NoteKey
from dsk_assets.evidence.statements import Source
from tests.evidence_lake import CHECKPOINT, DONATIONS, RELEASE, Home, make
from tests.support import admit
from tests.tampered_lake import (
    appended,
    checked,
    codes,
    forget,
    logged_anew,
    read_by,
)
from tests.tampered_lake import home as home
from tests.tampered_lake import intact as intact
from tests.tampering import inputs, sign_anew, statement

GATE = "gate/composition"


def test_an_untouched_lake_has_no_fault(home: Home):
    assert codes(checked(home)) == set()


@pytest.mark.parametrize(
    "asset", ["test-result/composition", "verification/admitted", "release/corpus"]
)
def test_an_attestation_that_is_left_out_by_somebody_with_all_keys(home: Home, asset: str):
    """The log is written from statements alone: what follows from them was never made."""
    forget(home)
    shutil.rmtree(home.lake / "evidence/attestations" / asset)
    catalog = home.catalog("dsk")
    derive = sequencer._derive
    sequencer._derive = lambda *_: None
    try:
        sequencer.append_new(catalog)
    finally:
        sequencer._derive = derive
    report = checked(home)
    assert codes(report) == {"attestation-missing"}
    assert all(asset in fault.detail for fault in report.faults if not fault.is_limit)


def test_an_approval_and_a_release_wait_for_the_second_signature(home: Home):
    """Evidence is at fault, so records are held back, until the other key has signed."""
    path = home.lake / "evidence/attestations/release/corpus" / RELEASE / "000001.json"
    content = statement(path)
    sign_anew(path, content, keys.signer(home.settings, keys.STATEMENTS))
    pending = home.lake / "evidence/pending/release/corpus" / RELEASE / "000001.json"
    pending.parent.mkdir(parents=True)
    path.rename(pending)
    report = logged_anew(home)
    (fault,) = [fault for fault in report.faults if not fault.is_limit]
    assert (fault.code, fault.place) == (
        "signature-missing", f"evidence/pending/release/corpus/{RELEASE}/000001.json",
    )  # fmt: skip
    catalog = home.catalog("dsk")
    ring, size = sequencer.keyring(catalog)
    waiting = attestations.find_pending(catalog.lake, ring, size, "release/corpus", RELEASE)
    assert waiting.missing == (keys.CONSORTIUM,)
    consortium = keys.signer(home.settings, keys.CONSORTIUM)
    attestations.sign(catalog.lake, ring, size, waiting, consortium)
    sequencer.append_new(catalog)
    assert codes(checked(home)) == set()


def test_other_rules_than_the_log_names(home: Home):
    newest = max((home.lake / "evidence/attestations/policy/evidence/_").iterdir())
    content = statement(newest)
    content["subject"][1]["digest"]["sha256"] = "0" * 64
    path = newest.with_name("000002.json")
    sign_anew(path, content, keys.signer(home.settings, keys.STATEMENTS))
    assert codes(appended(home, path, partition=None)) == {"policy-differs"}


@pytest.mark.parametrize("changes", [{"extra": 1}, {"predicateType": "urn:other"}])
def test_an_entry_of_the_log_that_is_not_that_of_its_statement(home: Home, changes: dict):
    make(home.catalog("dsk"), "study/part", "p")
    path = home.statement("study/part", "p")
    assert {"log-entry", "statement-removed"} & codes(appended(home, path, **changes))


def test_an_erased_detail_that_was_put_back(home: Home):
    kept = next((home.lake / "restricted/details").iterdir())
    data = kept.read_bytes()
    details.erase(home.catalog("dsk"), "withdrawal/donation", DONATIONS[1], 1, "case 17")
    assert codes(checked(home)) == set()
    kept.write_bytes(data)
    assert codes(checked(home)) == {"detail-not-erased"}


def test_inputs_of_a_frozen_asset_shortened_at_a_fan_in_of_150(home: Home):
    catalog = home.catalog("dsk")
    parts = [make(catalog, "study/part", f"p{number:03d}") for number in range(150)]
    catalog.materialise(
        "study/whole", None, zone="curated", inputs=parts, config={}, code_version="1",
        produce=lambda out: out.json("a.json", 1), frozen=True,
    )  # fmt: skip
    path = home.statement("study/whole")
    content = statement(path)
    inputs(content).pop(77)
    sign_anew(path, content, keys.signer(home.settings, keys.STATEMENTS))
    sequencer.append_new(catalog)
    assert codes(checked(home)) == {"inputs-incomplete"}


def test_text_from_outside_among_the_inputs_of_shards(home: Home):
    catalog = home.catalog("dsk")
    scraped = Source("consortium/scraped.txt", "5" * 64)
    read = read_by(catalog, "corpus/shards", DONATIONS[0])
    make(catalog, "corpus/shards", DONATIONS[0], *read, scraped)
    sequencer.append_new(catalog)
    report = checked(home)
    assert codes(report) == {"input-unknown"}
    (fault,) = [fault for fault in report.faults if not fault.is_limit]
    assert "scraped" in fault.detail


def test_text_from_outside_under_the_statement_of_another_input(home: Home):
    path = home.statement("corpus/shards", DONATIONS[0])
    content = statement(path)
    scraped = Source("consortium/scraped.txt", "5" * 64).dependency()
    named = inputs(content)[0]["annotations"]["statement"]
    inputs(content).append(scraped | {"annotations": {"statement": named}})
    sign_anew(path, content, keys.signer(home.settings, keys.STATEMENTS))
    details = [f.detail for f in logged_anew(home).faults if f.code == "input-unknown"]
    assert any("scraped" in detail for detail in details)


def test_an_input_named_twice(home: Home):
    """The second would hide the first from what is demanded of it."""
    path = home.statement("corpus/shards", DONATIONS[0])
    content = statement(path)
    inputs(content).append(inputs(content)[0])
    sign_anew(path, content, keys.signer(home.settings, keys.STATEMENTS))
    assert any("named twice" in fault.detail for fault in logged_anew(home).faults)


def test_a_statement_nested_deeper_than_its_schema_is_followed(home: Home):
    path = home.lake / "evidence/attestations/policy/evidence/_/000001.json"
    content = statement(path)
    for _ in range(300):
        content["predicate"]["signatures"] = [content["predicate"]["signatures"]]
    later = path.with_name("000002.json")
    sign_anew(later, content, keys.signer(home.settings, keys.STATEMENTS))
    sequencer.append_new(home.catalog())
    assert codes(checked(home)) == {"statement-schema"}


def test_a_withdrawal_of_another_donation_than_it_is_filed_under(home: Home):
    path = home.lake / "evidence/attestations/withdrawal/donation" / DONATIONS[1] / "000001.json"
    content = statement(path)
    content["predicate"]["donation"] = DONATIONS[0]
    sign_anew(path, content, keys.signer(home.settings, keys.STATEMENTS))
    assert codes(logged_anew(home)) == {"statement-inconsistent"}


def test_a_gate_that_judged_another_asset(home: Home):
    catalog = home.catalog("dsk")
    made = catalog.require("corpus/release", RELEASE)
    other = make(catalog, GATE, RELEASE, catalog.require("corpus/shards", DONATIONS[0]), admitted=1,
                 files={"verdict.json": {}, "result.json": {}})  # fmt: skip
    make(catalog, "training/run", "demo", made, other.only("verdict.json"))
    sequencer.append_new(catalog)
    found = codes(checked(home))
    assert {"gate-other-bytes", "attestation-missing"} <= found, "no test result follows from it"


def test_a_gate_that_judged_another_donation(home: Home):
    catalog = home.catalog("dsk")
    search, other = (catalog.require("filtering/personal_data", key) for key in DONATIONS)
    decision = make(catalog, "gate/personal_data", DONATIONS[0], other, admitted=1,
                    files={"verdict.json": {}, "result.json": {}})  # fmt: skip
    approval = catalog.require("gate/approval", DONATIONS[0]).only("verdict.json")
    make(catalog, "filtering/quality", DONATIONS[0], search, approval,
         decision.only("verdict.json"))  # fmt: skip
    sequencer.append_new(catalog)
    assert "gate-other-bytes" in codes(checked(home))


def test_shards_of_a_search_that_no_gate_has_judged(home: Home):
    """Somebody with all keys searches anew, finds less, and goes on with the old admission."""
    catalog = home.catalog("dsk")
    key = DONATIONS[0]
    search = make(
        catalog, "filtering/personal_data", key, *read_by(catalog, "filtering/personal_data", key),
        files={"document/part-0.json": ["less was found"], "pii_span/part-0.json": []},
    ).only("document/")  # fmt: skip
    admitted = catalog.require("filtering/admitted", key)
    decisions = make(catalog, "filtering/decisions", key, search, admitted)
    make(catalog, "corpus/shards", key, decisions, search, admitted)
    sequencer.append_new(catalog)
    report = checked(home)
    assert codes(report) == {"gate-other-bytes"}
    places = {fault.place.split("/")[3] for fault in report.faults if not fault.is_limit}
    assert places == {"decisions", "shards"}


def test_raw_text_that_reaches_shards_by_way_of_another_asset(home: Home):
    catalog = home.catalog("dsk")
    key = DONATIONS[0]
    dump = make(catalog, "study/dump", key, catalog.require("donations/documents", key))
    make(catalog, "corpus/shards", key, *read_by(catalog, "corpus/shards", key), dump, tokens=1)
    sequencer.append_new(catalog)
    assert codes(checked(home)) == {"redaction-missing"}


@pytest.mark.parametrize(
    ("asset", "partition", "made_from"),
    [
        ("transparency/records", RELEASE, "filtering/admitted"),
        ("training/checkpoint", "demo-1.0.0.step-000200", "corpus/shards"),
        ("corpus/release", "2.0.0", "filtering/decisions"),
    ],
)
def test_what_leaves_out_the_input_that_asks_for_a_gate(
    home: Home, asset: str, partition: str, made_from: str
):
    catalog = home.catalog("dsk")
    make(catalog, asset, partition, catalog.require(made_from, DONATIONS[0]), donations=0)
    sequencer.append_new(catalog)
    assert "inputs-incomplete" in codes(checked(home))


def tried(catalog: Catalog, checkpoint: Snapshot, *more: Snapshot) -> Snapshot:
    return make(catalog, "training/evaluation", CHECKPOINT, checkpoint.only("model/"), *more,
                zone="evidence")  # fmt: skip


def test_a_trial_of_a_model_that_no_gate_has_admitted(home: Home):
    catalog = home.catalog("dsk")
    checkpoint = catalog.require("training/checkpoint", CHECKPOINT)
    tried(catalog, checkpoint)
    sequencer.append_new(catalog)
    assert codes(checked(home)) == {"gate-missing"}
    admitted = catalog.require("gate/checkpoint", CHECKPOINT).only("verdict.json")
    make(catalog, "training/evaluation", "other", make(catalog, "study/trial"), admitted)
    sequencer.append_new(catalog)
    assert {"inputs-incomplete", "redaction-missing"} <= codes(checked(home))


def published(catalog: Catalog, *read: Snapshot, verified: Sequence[Snapshot]) -> None:
    """Records made of *read* after a verification of *verified*."""
    verification = make(catalog, "transparency/verification", RELEASE, *verified, zone="evidence")
    gates = [admit(catalog, "evidence", verification)]
    gates += [catalog.require(GATE, RELEASE), catalog.require("gate/checkpoint", CHECKPOINT)]
    make(catalog, "transparency/records", RELEASE, *read,
         *(one.only("verdict.json") for one in gates), zone="public")  # fmt: skip
    sequencer.append_new(catalog)


def test_records_of_something_else_than_was_verified(home: Home):
    catalog = home.catalog("dsk")
    made = catalog.require("corpus/release", RELEASE)
    checkpoint = catalog.require("training/checkpoint", CHECKPOINT)
    published(catalog, made, checkpoint, verified=[made, checkpoint])
    assert codes(checked(home)) == set()
    added = make(catalog, "study/added", x=1)
    published(catalog, made, checkpoint, added, verified=[made, checkpoint])
    report = checked(home)
    assert codes(report) == {"verification-differs"}
    (fault,) = [fault for fault in report.faults if not fault.is_limit]
    assert "study/added" in fault.detail


def test_records_with_the_trial_of_another_model(home: Home):
    """The checkpoint was made anew, and its old trial is shown beside it."""
    catalog = home.catalog("dsk")
    made = catalog.require("corpus/release", RELEASE)
    old = catalog.require("training/checkpoint", CHECKPOINT)
    trial = tried(catalog, old, catalog.require("gate/checkpoint", CHECKPOINT).only("verdict.json"))
    published(catalog, made, old, trial, verified=[made, old, trial])
    assert codes(checked(home)) == set()
    composition = catalog.require(GATE, RELEASE).only("verdict.json")
    new = make(catalog, "training/checkpoint", CHECKPOINT, made, composition,
               files={"model/model.safetensors": [0.7]})  # fmt: skip
    admit(catalog, "checkpoint", new)
    published(catalog, made, new, trial, verified=[made, new, trial])
    assert "input-differs" in codes(checked(home))


def test_a_review_of_other_texts_than_the_gate_judged(home: Home):
    catalog = home.catalog("dsk")
    key = DONATIONS[0]
    search = catalog.require("filtering/personal_data", key)
    review = make(catalog, "filtering/review", key, search.only("document/"), zone="evidence",
                  files={"review.json": {}})  # fmt: skip
    verdict = {"verdict.json": {}, "result.json": {}}
    make(catalog, "gate/personal_data", key, search, review, admitted=1, files=verdict)
    sequencer.append_new(catalog)
    assert "input-differs" not in codes(checked(home))
    again = make(
        catalog, "filtering/personal_data", key, *read_by(catalog, "filtering/personal_data", key),
        files={"document/part-0.json": ["less was found"], "pii_span/part-0.json": []},
    )  # fmt: skip
    make(catalog, "gate/personal_data", key, again, review, admitted=1, files=verdict)
    sequencer.append_new(catalog)
    assert "input-differs" in codes(checked(home))
    raw = catalog.require("donations/documents", key)
    make(catalog, "filtering/review", key, raw, zone="evidence")
    sequencer.append_new(catalog)
    assert {"inputs-incomplete", "redaction-missing"} <= codes(checked(home))


def test_files_that_no_statement_names(home: Home):
    """A fault among those that are named and in the public zone; else what a crash left behind."""
    shards = next(home.lake.glob(f"curated/corpus/shards/{DONATIONS[0]}/*/tokens"))
    for stray in (shards / "00001.bin", home.lake / "public/notes.txt"):
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_bytes(b"x")
        (fault,) = [fault for fault in checked(home).faults if not fault.is_limit]
        assert (fault.code, fault.place) == ("file-stray", str(stray.relative_to(home.lake)))
        stray.unlink()
    left = shards.parents[1] / ("0" * 16) / "tokens/00000.bin"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    report = checked(home)
    assert codes(report) == set()
    assert str(left.relative_to(home.lake)) in {fault.place for fault in report.faults}


def test_what_a_killed_writer_left_is_named_and_swept_away(home: Home):
    """An hour later; until then it may be a file that somebody is writing."""
    folders = ("evidence/attestations/key", "evidence/log", "public/records")
    left = [home.lake / folder / ".tmp-abc" for folder in folders]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    names = {str(path.relative_to(home.lake)) for path in left}
    assert not names & {fault.place for fault in checked(home).faults}
    for path in left:
        os.utime(path, times=(0, 0))
    report = checked(home)
    assert codes(report) == set()
    assert {one.place for one in report.faults if one.code == "file-unnamed"} == names
    sequencer.append_new(home.catalog("dsk"))
    assert [path.exists() for path in left] == [False, False, True]


def test_a_release_that_says_it_is_of_the_future(home: Home):
    path = home.statement("corpus/release", RELEASE)
    content = statement(path)
    content["predicate"]["runDetails"]["metadata"]["finishedOn"] = "2090-01-01T00:00:00.000Z"
    sign_anew(path, content, keys.signer(home.settings, keys.STATEMENTS))
    assert "time-ahead" in codes(logged_anew(home))


def test_without_a_log_time_does_not_run_backwards(home: Home, monkeypatch: pytest.MonkeyPatch):
    """Statements outside the log come in the order of their paths: that says nothing."""
    monkeypatch.setattr("dsk_assets.evidence.verify.times.CLOCKS_DIFFER", dt.timedelta(0))
    shutil.rmtree(home.log)
    assert codes(checked(home)) == {"log-missing"}


def test_a_proof_that_does_not_hold_is_not_written(home: Home):
    catalog = home.catalog("dsk")
    assert proofs.prove(catalog, "corpus/release", RELEASE)
    tile = next(home.log.glob("tile/0/000.p/*"))
    position = proofs.prove(catalog, "corpus/release", RELEASE).position
    data = bytearray(tile.read_bytes())
    data[32 * (position ^ 1)] ^= 1
    tile.write_bytes(data)
    with pytest.raises(CorruptedError, match="proof"):
        proofs.prove(catalog, "corpus/release", RELEASE)


def test_an_unreadable_checkpoint_is_one_fault(home: Home):
    (home.log / "checkpoint").write_bytes(b"\xff\x00 garbage")
    report = checked(home)
    assert [fault.code for fault in report.faults if not fault.is_limit] == ["log-unsigned"]


def test_a_silent_witness_is_named(home: Home):
    from dsk_assets.evidence import rotation

    public = bytes(32)
    vkey = NoteKey("vidne.example", 4, public).vkey
    rotation.add_given(home.catalog("dsk"), "witness", vkey, None)
    limits = {fault.code: fault.place for fault in checked(home).faults if fault.is_limit}
    assert limits["witness-silent"] == "vidne.example"
