"""`dsk evidence verify`: an untouched lake is clean, and whatever is tampered with is named."""

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from securesystemslib.signer import CryptoSigner

from dsk_assets.cli.main import main
from dsk_assets.evidence import attestations, details, keys, log, predicates, sequencer
from dsk_assets.evidence.catalog import Output
from dsk_assets.evidence.entries import Entry
from dsk_assets.evidence.statements import Source
from dsk_assets.evidence.verify.faults import TEXTS, Fault
from dsk_assets.evidence.verify.lake import Report, policy
from dsk_assets.evidence.withdrawals import withdraw
from dsk_assets.gates.registry import GATES
from dsk_assets.lake.digests import sha256_bytes, sha256_json
from dsk_assets.lake.store import Zone
from tests.evidence_lake import CHECKPOINT, DONATIONS, REACHED, RELEASE, Home, make
from tests.support import admit
from tests.tampered_lake import forget
from tests.tampering import edit, flip, inputs, sign_anew, statement
from tests.verified_lake import SHARDS, checked, wrong
from tests.verified_lake import home as home
from tests.verified_lake import intact as intact


def test_an_untouched_lake_verifies_and_its_limits_are_said(home: Home):
    report = checked(home)
    assert not wrong(report)
    assert {fault.code for fault in report.faults} == {"no-witness", "development-keys"}
    assert report.exit_code == 1
    assert report.counts["statements"] == report.counts["entries"] > 180
    assert report.counts["files"] > 150
    assert report.checkpoint["size"] == report.counts["entries"]


def test_a_byte_of_a_shard(home: Home):
    path = next(home.lake.glob(f"curated/{SHARDS}/{DONATIONS[0]}/*/tokens/00000.bin"))
    flip(path)
    fault = wrong(checked(home))["file-changed"]
    assert fault.place == str(path.relative_to(home.lake))
    assert fault.affects == REACHED


def test_a_row_of_a_table(home: Home):
    path = next(home.lake.glob(f"curated/filtering/decisions/{DONATIONS[1]}/*/table/*.parquet"))
    rows = pq.read_table(path).to_pylist()
    rows[1]["kept"] = True
    pq.write_table(pa.Table.from_pylist(rows), path)
    fault = wrong(checked(home))["file-changed"]
    assert fault.place == str(path.relative_to(home.lake))
    assert fault.affects == REACHED


def test_a_file_that_is_gone(home: Home):
    path = next(home.lake.glob(f"curated/{SHARDS}/{DONATIONS[1]}/*/tokens/00000.bin"))
    path.unlink()
    fault = wrong(checked(home))["file-missing"]
    assert fault.place == str(path.relative_to(home.lake))
    assert fault.affects == REACHED


def test_files_of_superseded_statements_may_be_gone(home: Home):
    make(home.catalog(), "study/part", "p000", files={"content.json": "anew"}, x=1)
    sequencer.append_new(home.catalog())
    before = checked(home)
    assert not wrong(before)
    old = statement(home.statement("study/part", "p000"))["predicate"]["dsk"]["folder"]
    new = statement(home.statement("study/part", "p000", 2))["predicate"]["dsk"]["folder"]
    assert old != new
    shutil.rmtree(home.lake / old)
    report = checked(home)
    assert not wrong(report)
    assert report.counts["superseded_files_gone"] == 1


def test_a_statement_edited(home: Home):
    path = home.statement(SHARDS, DONATIONS[0])
    edit(path, lambda content: content["predicate"]["dsk"]["counts"].update(tokens=4))
    found = wrong(checked(home))
    assert found["statement-changed"].place == str(path.relative_to(home.lake))
    assert found["statement-changed"].affects == REACHED
    assert "signature-missing" in found or "signature-by-unknown-key" in found


def test_a_statement_removed(home: Home):
    path = home.statement("gate/spans", DONATIONS[0])
    path.unlink()
    found = wrong(checked(home))
    assert found["statement-removed"].place == str(path.relative_to(home.lake))
    assert found["statement-removed"].affects == REACHED
    assert set(found) == {"statement-removed"}


def test_statements_reordered(home: Home):
    make(home.catalog(), "study/part", "p000", files={"content.json": "anew"}, x=1)
    sequencer.append_new(home.catalog())
    first, second = (home.statement("study/part", "p000", number) for number in (1, 2))
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two), second.write_bytes(one)
    fault = wrong(checked(home))["statement-changed"]
    assert fault.place == str(first.relative_to(home.lake))
    assert str(second.relative_to(home.lake)) in fault.detail


def test_a_statement_signed_anew_by_another_key(home: Home):
    path = home.statement(SHARDS, DONATIONS[0])
    sign_anew(path, statement(path), CryptoSigner.generate_ed25519())
    found = wrong(checked(home))
    assert found["statement-changed"].place == str(path.relative_to(home.lake))
    assert found["signature-by-unknown-key"].place == str(path.relative_to(home.lake))
    assert found["signature-by-unknown-key"].affects == REACHED


def test_a_statement_that_nobody_logged(home: Home):
    make(home.catalog(), "study/part", "late")
    found = wrong(checked(home))
    assert found["statement-not-logged"].place.endswith("study/part/late/000001.json")
    sequencer.append_new(home.catalog())
    assert not wrong(checked(home))


def rewritten(home: Home, path: Path, change: Callable[[dict[str, Any]], None]) -> Report:
    """The report after somebody with all keys changed a statement and wrote the log anew.

    Whatever names the statement is left naming its old digest, unless *change* is about a leaf.
    """
    content = statement(path)
    change(content)
    sign_anew(path, content, keys.signer(home.settings, keys.STATEMENTS))
    forget(home)
    shutil.rmtree(home.lake / "evidence" / "attestations")
    sequencer.append_new(home.catalog())
    return checked(home)


def test_an_input_list_shortened_at_a_fan_in_of_150(home: Home):
    """Signed and logged by the right keys: the fingerprint still tells."""
    path = home.statement("study/whole")
    assert len(inputs(statement(path))) == 150
    found = wrong(rewritten(home, path, lambda content: inputs(content).pop(77)))
    assert set(found) == {"inputs-incomplete"}
    assert found["inputs-incomplete"].place == str(path.relative_to(home.lake))


def test_an_input_list_shortened_without_the_keys(home: Home):
    path = home.statement("study/whole")
    edit(path, lambda content: inputs(content).pop(77))
    found = wrong(checked(home))
    assert found["statement-changed"].place == str(path.relative_to(home.lake))


def test_a_donation_left_out_of_the_inputs_of_a_frozen_release(home: Home):
    path = home.statement("corpus/release", RELEASE)
    found = wrong(rewritten(home, path, lambda content: inputs(content).pop(0)))
    assert found["inputs-incomplete"].place == str(path.relative_to(home.lake))
    assert found["inputs-incomplete"].affects[0] == REACHED[0]


def test_a_digest_of_an_input_that_is_not_its_own(home: Home):
    path = home.statement("study/whole")
    found = wrong(
        rewritten(home, path, lambda content: inputs(content)[3]["digest"].update(sha256="0" * 64))
    )
    assert "p003" in found["input-differs"].detail


def test_an_input_that_nobody_made(home: Home):
    path = home.statement("study/whole")
    found = wrong(
        rewritten(
            home,
            path,
            lambda content: inputs(content)[3]["annotations"].update(statement="0" * 64),
        )
    )
    assert "p003" in found["input-unknown"].detail


def test_a_clock_that_runs_backwards(home: Home):
    """The whole says it began before its parts had ended."""

    def earlier(content: dict[str, Any]) -> None:
        run = content["predicate"]["runDetails"]["metadata"]
        run["startedOn"] = "2020-01-01T00:00:00.000Z"

    found = wrong(rewritten(home, home.statement("study/whole"), earlier))
    assert "study/part[p000]" in found["time-backwards"].detail


def test_a_clock_set_back_between_two_nights(home: Home):
    """Nothing ties the late statement to the others but its place in the log."""
    make(home.catalog(), "study/other", files={"content.json": 1})
    path = home.statement("study/other")
    content = statement(path)
    run = content["predicate"]["runDetails"]["metadata"]
    run.update(startedOn="2020-01-01T00:00:00.000Z", finishedOn="2020-01-01T00:00:01.000Z")
    sign_anew(path, content, keys.signer(home.settings, keys.STATEMENTS))
    sequencer.append_new(home.catalog())
    fault = wrong(checked(home))["time-backwards"]
    assert fault.place == str(path.relative_to(home.lake))


def test_a_checkpoint_of_the_model_made_before_redaction_ended(home: Home):
    def earlier(content: dict[str, Any]) -> None:
        content["predicate"]["runDetails"]["metadata"]["startedOn"] = "2020-01-01T00:00:00.000Z"

    path = home.statement("training/checkpoint", CHECKPOINT)
    fault = wrong(rewritten(home, path, earlier))["redaction-after-use"]
    assert fault.place == str(path.relative_to(home.lake))
    assert fault.affects == (f"training/checkpoint[{CHECKPOINT}]",)


def test_a_later_statement_that_skips_its_gate_or_the_search(home: Home):
    catalog = home.catalog()
    read = catalog.require("donations/documents", DONATIONS[0])
    admitted = catalog.require("filtering/admitted", DONATIONS[0])
    redacted = catalog.require("filtering/personal_data", DONATIONS[0]).only("document/")
    make(catalog, "filtering/quality", DONATIONS[0], redacted)
    make(catalog, "corpus/shards", "dsk-2026-0003@1.0.0", read, admitted)
    sequencer.append_new(catalog)
    found = wrong(checked(home))
    assert "gate/personal_data" in found["gate-missing"].detail or found["gate-missing"].detail
    assert "filtering/quality" in found["gate-missing"].place
    assert found["redaction-missing"].place.startswith(
        "evidence/statements/corpus/shards/dsk-2026-"
    )


def test_a_gate_that_refused(home: Home):
    catalog = home.catalog()
    release = catalog.require("corpus/release", RELEASE)
    refused = admit(catalog, "composition", release, admitted=False)
    make(catalog, "training/run", "demo-1.0.0", release, refused.only("verdict.json"))
    sequencer.append_new(catalog)
    fault = wrong(checked(home))["gate-refused"]
    assert fault.place.startswith("evidence/statements/training/run/")


def test_a_gate_that_judged_other_bytes(home: Home):
    catalog = home.catalog()
    key = DONATIONS[0]
    approval = catalog.require("gate/approval", key)
    landing = make(
        catalog, "donations/landing", key, Source(f"delivery/{key}", "e" * 64),
        zone=Zone.RESTRICTED, files={"manifest.json": {"other": 1}},
    )  # fmt: skip
    make(catalog, "donations/documents", key, landing, approval.only("verdict.json"))
    sequencer.append_new(catalog)
    assert wrong(checked(home))["gate-other-bytes"].place.startswith(
        "evidence/statements/donations/documents/"
    )


def test_a_key_that_no_key_in_force_has_added(home: Home):
    """A key statement that is self-signed and logged by somebody with the log's key alone."""
    stranger = CryptoSigner.generate_ed25519()
    content = predicates.key_statement("add", keys.STATEMENTS, stranger.public_key)
    path = home.lake / "evidence/attestations/key/statements" / stranger.public_key.keyid
    path.mkdir(parents=True)
    sign_anew(path / "000001.json", content, stranger)
    data = (path / "000001.json").read_bytes()
    entry = Entry(
        "key/statements", stranger.public_key.keyid, 1, content["predicateType"],
        sha256_bytes(data), sha256_json(content),
    )  # fmt: skip
    log.Log(home.settings, home.catalog().lake).append([entry.as_bytes()])
    assert stranger.public_key.keyid in wrong(checked(home))["key-not-trusted"].detail


def test_a_withdrawn_donation_that_is_used_again(home: Home):
    catalog = home.catalog()
    landing = catalog.require("donations/landing", DONATIONS[0])
    day = dt.date.today() - dt.timedelta(days=1)
    content = predicates.withdrawal(
        DONATIONS[0], landing.digest, landing.statement_digest, day, "the donor asked"
    )
    attestations.write(home.settings, catalog.lake, "withdrawal/donation", DONATIONS[0], content)
    sequencer.append_new(catalog)
    found = wrong(checked(home))["withdrawn-used"]
    assert DONATIONS[0].partition("@")[0] in found.detail
    assert f"training/checkpoint[{CHECKPOINT}]" in {
        name for fault in checked(home).faults if fault.code == "withdrawn-used"
        for name in fault.affects
    }  # fmt: skip


def test_a_night_killed_before_its_statements_were_logged(home: Home):
    """Files without a statement, and a statement without an entry: the next run repairs both."""
    catalog = home.catalog()

    def killed(out: Output) -> None:
        out.json("content.json", [1])
        raise KeyboardInterrupt

    arguments = {"zone": Zone.CURATED, "inputs": [], "config": {}, "code_version": "1"}
    with pytest.raises(KeyboardInterrupt):
        catalog.materialise("study/killed", None, produce=killed, **arguments)
    assert not wrong(checked(home))
    catalog.materialise(
        "study/killed", None, produce=lambda out: out.json("content.json", [1]), **arguments
    )
    assert set(wrong(checked(home))) == {"statement-not-logged"}
    sequencer.append_new(home.catalog())
    assert not wrong(checked(home))


def test_only_what_is_new_is_checked_wholly_when_asked(home: Home):
    """Old files outside the release are left to the full verification; the release's never are."""
    assert not wrong(checked(home))
    flip(next(home.lake.glob("curated/study/part/p000/*/content.json")))
    assert not wrong(checked(home, full=False))
    assert "file-changed" in wrong(checked(home))
    flip(next(home.lake.glob(f"curated/corpus/shards/{DONATIONS[0]}/*/tokens/00000.bin")))
    assert "file-changed" in wrong(checked(home, full=False))
    edit(home.statement("study/part", "p001"), lambda content: content.update(x=1))
    assert "statement-changed" in wrong(checked(home, full=False))


def test_every_fault_has_words_in_two_languages_and_a_group():
    for code in TEXTS:
        fault = Fault(code, "place", "detail")
        assert fault.text("en") != fault.text("da")
        assert fault.is_limit or fault.group


def test_the_policy_and_the_platform_ask_for_the_same_signatures():
    assert policy()["signatures"] == {
        name: list(roles) for name, roles in predicates.SIGNATURES.items()
    }


def test_the_policy_knows_every_gate_what_it_judges_and_who_demands_it():
    judges = {f"gate/{gate.name}": gate.asset for gate in GATES.values()}
    assert policy()["judges"] == judges
    demanded = {needed for demand in policy()["demands"] for needed in demand["needs"]}
    assert demanded >= set(judges)


def test_a_detail_erased_by_the_rules_is_no_fault(home: Home):
    catalog = home.catalog()
    withdraw(catalog, DONATIONS[0], dt.date(2090, 1, 1), "Inga Opfundet asked for it")
    details.erase(catalog, "withdrawal/donation", DONATIONS[0], 1, "case 17")
    assert not wrong(checked(home))


def test_what_stops_the_verification_ends_the_command_with_2(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    """Exit code 1 says that nothing is wrong; no crash may say so."""
    monkeypatch.setenv("DSK_HOME", str(home.lake.parent))
    folder = next(path.parent for path in home.lake.rglob("evidence/log/checkpoint"))
    (folder / "checkpoint").unlink()
    (folder / "checkpoint").mkdir()
    result = CliRunner().invoke(main, ["evidence", "verify"])
    assert result.exit_code == 2


def test_a_stray_file_beside_a_statement_hides_no_other_fault(home: Home):
    flip(next(home.lake.glob(f"curated/{SHARDS}/{DONATIONS[0]}/*/tokens/00000.bin")))
    for name in ("copy.json", "000009.json"):
        statement = next(home.lake.glob(f"evidence/statements/{SHARDS}/{DONATIONS[0]}/000001.json"))
        statement.with_name(name).write_text("{}")
    assert "file-changed" in wrong(checked(home))
