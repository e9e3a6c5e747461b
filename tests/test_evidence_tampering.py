"""What a dishonest or clumsy hand does to evidence: each is named, and nothing ends in a crash."""

import datetime as dt
import json
import random
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dsk_assets.cli.main import main
from dsk_assets.errors import CorruptedError
from dsk_assets.evidence import attestations, details, keys, log, predicates, proofs, sequencer
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.notes import NoteKey
from dsk_assets.evidence.statements import Source
from dsk_assets.evidence.verify.bundle import verifier
from dsk_assets.evidence.verify.envelopes import Unreadable, read_statement
from dsk_assets.evidence.verify.lake import Report, verify
from dsk_assets.evidence.verify.pack import pack
from dsk_assets.evidence.verify.standalone import ALWAYS, Pack, verify_pack
from dsk_assets.evidence.withdrawals import withdraw
from dsk_assets.evidence.witness import from_request
from dsk_assets.lake.digests import canonical_json, sha256_bytes
from tests.evidence_lake import CHECKPOINT, DONATIONS, RELEASE, Home, make, release
from tests.support import admit
from tests.tampering import edit, inputs, sign_anew, statement

GATE = "gate/composition"


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A release and a checkpoint, a frozen whole of 150 parts, and a withdrawal to come."""
    home = Home(tmp_path_factory.mktemp("intact") / "home")
    catalog = home.catalog("dsk")
    release(catalog)
    withdraw(catalog, DONATIONS[1], dt.date(2090, 1, 1), "Inga Opfundet asked for it")
    sequencer.append_new(catalog)
    return home


@pytest.fixture
def home(intact: Home, tmp_path: Path) -> Home:
    return intact.copy(tmp_path / "home")


def checked(home: Home, **options: Any) -> Report:
    return verify(home.catalog("dsk"), **options)


def codes(report: Report) -> set[str]:
    return {fault.code for fault in report.faults if not fault.is_limit}


def forget(home: Home) -> None:
    for folder in (home.log, home.path / "log", home.path / "cache"):
        shutil.rmtree(folder)


def logged_anew(home: Home) -> Report:
    """The report after somebody with all keys has written the log anew from what lies there."""
    forget(home)
    sequencer.append_new(home.catalog("dsk"))
    return checked(home)


def appended(home: Home, path: Path, **changes: object) -> Report:
    """The report after somebody with the log's key has entered *path* with *changes*."""
    data = path.read_bytes()
    asset, partition, number = path.parts[-4:-2], path.parts[-2], int(path.stem)
    content = statement(path)
    entry = {
        "asset": "/".join(asset), "partition": partition, "number": number,
        "predicateType": content["predicateType"], "envelope": sha256_bytes(data),
        "statement": sha256_bytes(canonical_json(content)), **changes,
    }  # fmt: skip
    log.Log(home.settings, home.catalog().lake).append([canonical_json(entry)])
    return checked(home)


def read_by(catalog: Catalog, asset: str, partition: str) -> list[Snapshot]:
    """What the newest statement of an asset partition names as its inputs, all of one donation."""
    build = catalog.require(asset, partition).statement["predicate"]["buildDefinition"]
    return [
        catalog.require(one["uri"].removeprefix("dsk:").split("[")[0], partition).only(
            *one["annotations"].get("only", [""])
        )
        for one in build["resolvedDependencies"]
    ]


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


MOMENTS = ("2026-99-99T99:99:99.000Z", "yesterday", "2026-01-01T00:00:00Z", 7, None)
DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_that_is_none_is_unreadable(home: Home, moment: object):
    path = home.statement("corpus/release", RELEASE)
    edit(path, lambda content: content["predicate"]["runDetails"]["metadata"].update(
        startedOn=moment))  # fmt: skip
    with pytest.raises(Unreadable):
        read_statement(path.read_bytes(), {}, str(path.relative_to(home.lake)))


SHAPES: tuple[Any, ...] = (None, 7, -1.5, "text", "\x00", [], ["x"], {}, {"a": []}, True)


def test_a_statement_of_any_shape_is_read_or_unreadable(home: Home):
    """Every value of a statement replaced by values of other shapes: never another error."""
    for asset, partition in (("corpus/release", RELEASE), (GATE, RELEASE)):
        path = home.statement(asset, partition)
        _all_shapes(path, str(path.relative_to(home.lake)))
    for path in (home.lake / "evidence/attestations").rglob("*.json"):
        _all_shapes(path, str(path.relative_to(home.lake)), some=40)


def _all_shapes(path: Path, place: str, some: int = 400) -> None:
    original = path.read_bytes()
    drawn = random.Random(place)
    spots = list(_spots(statement(path)))
    for spot in drawn.sample(spots, min(some // len(SHAPES), len(spots))):
        for shape in SHAPES:
            path.write_bytes(original)
            edit(path, lambda content, spot=spot, shape=shape: _put(content, spot, shape))
            try:
                read_statement(path.read_bytes(), {}, place)
            except Unreadable:
                continue
    path.write_bytes(original)


def _spots(value: Any, at: tuple[Any, ...] = ()) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in items:
        yield (*at, key)
        if isinstance(one, dict | list):
            yield from _spots(one, (*at, key))


def _put(content: Any, spot: tuple[Any, ...], shape: Any) -> None:
    for key in spot[:-1]:
        content = content[key]
    content[spot[-1]] = shape


def garbled(drawn: random.Random, data: bytes) -> bytes:
    """*data* flipped, cut, prolonged, or replaced by something else; never the same."""
    position = drawn.randrange(len(data)) if data else 0
    choices: list[Callable[[], bytes]] = [
        lambda: data[:position] + bytes([data[position] ^ 1 << drawn.randrange(8)])
        + data[position + 1 :] if data else b"x",
        lambda: data[:position],
        lambda: data + b"\n{}",
        lambda: b"",
        lambda: DEEP,
        lambda: b"\xff\xfe\x00",
        lambda: canonical_json(drawn.choice(SHAPES)),
        lambda: drawn.randbytes(50),
    ]  # fmt: skip
    made = drawn.choice(choices)()
    return made if made != data else data + b" "


def evident(home: Home) -> list[Path]:
    """Every file that a statement or the log speaks of, and every file of the evidence."""
    skipped = ("lock",)
    files = [path for path in home.lake.rglob("*") if path.is_file() and path.name not in skipped]
    size = int((home.log / "checkpoint").read_text().split("\n")[1])
    current = {f"{size % 256}"}
    return sorted(path for path in files if path.parent.suffix != ".p" or path.name in current)


def test_whatever_is_done_to_any_file_is_named(home: Home):
    """A fault with a code for each of 120 drawn changes; no crash, and never "nothing is wrong"."""
    drawn = random.Random(20261125)
    files = evident(home)
    for number in range(120):
        path = files[drawn.randrange(len(files))]
        original = path.read_bytes()
        how = drawn.choice(("bytes", "bytes", "bytes", "gone", "folder"))
        if how == "bytes":
            path.write_bytes(garbled(drawn, original))
        else:
            path.unlink()
            if how == "folder":
                path.mkdir()
        assert codes(checked(home)), (number, how, str(path.relative_to(home.lake)))
        if how == "folder":
            path.rmdir()
        path.write_bytes(original)
    assert codes(checked(home)) == set()


@pytest.mark.parametrize("target", ["/dev/zero", "loop", "nothing"])
def test_a_file_that_is_a_link_to_no_file(home: Home, target: str):
    """What would give bytes for ever is not read."""
    for path in (
        home.statement("corpus/release", RELEASE),
        next(home.lake.glob(f"curated/corpus/release/{RELEASE}/*/release.json")),
        home.log / "checkpoint",
    ):
        data = path.read_bytes()
        path.unlink()
        path.symlink_to(path if target == "loop" else target)
        assert codes(checked(home))
        path.unlink()
        path.write_bytes(data)


def test_strays_of_any_form_and_name_are_named(home: Home):
    folder = home.lake / "evidence/statements"
    strays = [
        folder / "x.json",
        folder / ("long" * 60) / "y.json",
        folder / "corpus/release/1.0.0/copy.json",
        folder / "corpus/release" / "a\nb" / "000001.json",
    ]
    for number, path in enumerate(strays):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((DEEP, b"\xff", b"[]", b"null")[number])
    found = [fault for fault in checked(home).faults if not fault.is_limit]
    assert {fault.code for fault in found} == {"statement-unreadable"}
    assert len(found) == len(strays)
    assert all(fault.text().isprintable() for fault in found)


# Packs


@pytest.fixture(scope="module")
def packed(intact: Home) -> dict[str, bytes]:
    path = intact.path / "pack.zip"
    pack(intact.catalog("dsk"), RELEASE, path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def proven(files: Mapping[str, bytes], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    rules = sha256_bytes(predicates.RULES.read_bytes())
    monkeypatch.setattr("dsk_assets.evidence.verify.standalone.RULES_DIGEST", rules)
    found = verify_pack(Pack(list(files), files.__getitem__))
    return {fault.code for fault in found.faults if not fault.is_limit}


def test_the_verifier_of_a_pack_names_the_rules_it_goes_by(packed: dict[str, bytes]):
    assert sha256_bytes(packed["policy.json"]) in packed["verify.py"].decode()
    assert packed["verify.py"].decode() == verifier()


def test_rules_of_a_pack_loosened(packed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch):
    assert proven(packed, monkeypatch) == set()
    rules = json.loads(packed["policy.json"])
    rules["demands"] = []
    for other in (json.dumps(rules).encode(), b"[]", b"{}", b"\xff", b'{"demands": 7}', b"7", DEEP):
        assert proven({**packed, "policy.json": other}, monkeypatch) == {"policy-differs"}


def without(files: dict[str, bytes], *parts: str) -> dict[str, bytes]:
    """A pack without the statements whose names hold one of *parts*, and without their mention."""
    left = {name: data for name, data in files.items() if not any(part in name for part in parts)}
    contents = json.loads(files["contents.json"])
    contents["statements"] = [name for name in contents["statements"] if name in left]
    return {**left, "contents.json": canonical_json(contents)}


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        (("statements/", "attestations/"), "release-missing"),
        (("statements/corpus/release/",), "release-missing"),
        (("statements/gate/composition/",), "release-missing"),
        (("test-result/composition",), "attestation-missing"),
        (("attestations/release/corpus",), "attestation-missing"),
        (("attestations/withdrawal/",), "statement-removed"),
        (("attestations/policy/",), "policy-differs"),
        (("attestations/key/",), "signature-by-unknown-key"),
    ],
)
def test_what_a_pack_may_not_leave_out(
    packed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...], code: str
):
    assert code in proven(without(packed, *parts), monkeypatch)


def test_any_file_of_a_pack_garbled(packed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch):
    """A fault or a refusal for each of 300 changes, but to what is no evidence."""
    drawn = random.Random(7)
    names = sorted(name for name in packed if name not in ("README.md", "verify.py"))
    for _ in range(300):
        name = drawn.choice(names)
        changed = {**packed, name: garbled(drawn, packed[name])}
        if drawn.random() < 0.2 and not name.startswith("files/"):
            del changed[name]
        try:
            found = proven(changed, monkeypatch)
        except Exception:  # `main` ends with 2
            continue
        assert found, name


def test_all_statements_that_belong_into_every_pack_are_there(packed: dict[str, bytes]):
    for line in packed["entries.ndjson"].splitlines():
        entry = json.loads(line)
        if entry["asset"].startswith(ALWAYS):
            partition = entry["partition"] or "_"
            assert f"attestations/{entry['asset']}/{partition}/{entry['number']:06d}.json" in packed


# Caches and files that are handed in


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"old 3\n!!\n\nnote", b"old \xc2\xb2\n\nx"])
def test_a_garbled_request_to_a_witness(tmp_path: Path, content: bytes):
    path = tmp_path / "request"
    path.write_bytes(content)
    with pytest.raises(CorruptedError):
        from_request(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\n", DEEP])
def test_a_file_of_events_that_holds_none(tmp_path: Path, content: bytes):
    path = tmp_path / "events.ndjson"
    path.write_bytes(content)
    result = CliRunner().invoke(main, ["openlineage", "check", str(path)])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)


def test_garbage_among_what_waits_for_signatures_is_named(home: Home):
    stray = home.lake / "evidence/pending/stray"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"\xff")
    catalog = home.catalog("dsk")
    ring, size = sequencer.keyring(catalog)
    with pytest.raises(CorruptedError, match="stray"):
        list(attestations.pending(catalog.lake, ring, size))
