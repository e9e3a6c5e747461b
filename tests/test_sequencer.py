"""Taking statements up into the log: all, once, in order, whatever dies in between."""

import base64
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner

from dsk_assets.errors import CorruptedError, MissingInputError, SettingsError
from dsk_assets.evidence import keys, predicates
from dsk_assets.evidence.catalog import Catalog, Output
from dsk_assets.evidence.entries import ATTESTATIONS, STATEMENTS, Entry
from dsk_assets.evidence.envelope import open_envelope, seal
from dsk_assets.evidence.log import FOLDER, Log
from dsk_assets.evidence.merkle import leaf_hash, verify_inclusion
from dsk_assets.evidence.notes import Checkpoint, Note
from dsk_assets.evidence.proofs import prove
from dsk_assets.evidence.sequencer import Waiting, append_new, in_order, keyring
from dsk_assets.evidence.standing import standing
from dsk_assets.lake.digests import sha256_bytes, sha256_json
from dsk_assets.lake.store import Lake, Zone
from dsk_assets.settings import load_settings
from tests.support import DONATION, admit, seed

MANIFEST = {
    "donor": {"cvr": "12345678", "contact": {"name": "Inga Opfundet"}},
    "rights": {
        "agreement_ref": "aftale-1",
        "licence_spdx": "CC0-1.0",
        "approval": {
            "scope": ["pre-training"],
            "approved_on": "2026-01-02",
            "evidence": [{"sha256": "0" * 64}],
        },
    },
}


def logged(catalog: Catalog) -> list[Entry]:
    return [entry for _, entry in Log(catalog.settings, catalog.lake).entries()]


def in_lake(catalog: Catalog) -> set[str]:
    return {
        f"{folder}/{path}"
        for folder in (STATEMENTS, ATTESTATIONS)
        for path in catalog.lake.files(folder)
    }


def assert_whole(catalog: Catalog) -> None:
    """Every statement is in the log once, as it is, signed, and after all that it names."""
    entries = logged(catalog)
    assert sorted(entry.path for entry in entries) == sorted(in_lake(catalog))
    log = Log(catalog.settings, catalog.lake)
    assert log.tree().root() == log.checkpoint().root
    ring, _ = keyring(catalog)
    seen: set[str] = set()
    for position, entry in enumerate(entries):
        data = catalog.lake.read(entry.path)
        envelope = open_envelope(data)
        assert (sha256_bytes(data), envelope.digest) == (entry.envelope, entry.statement)
        signed = {one.role for one in ring.signers(envelope, position)}
        assert signed >= set(predicates.roles(entry.predicate_type))
        jsonschema_rs.validate(predicates.schema(entry.predicate_type), envelope.statement)
        for named in names(envelope.statement):
            assert named in seen
        seen.add(entry.statement)


def names(statement: dict) -> Iterator[str]:
    build = statement["predicate"].get("buildDefinition", {})
    for one in [*statement["subject"], *build.get("resolvedDependencies", [])]:
        if "statement" in one.get("annotations", {}):
            yield one["annotations"]["statement"]
    if statement["predicate"].get("dsk", {}).get("previous"):
        yield statement["predicate"]["dsk"]["previous"]


def donation(catalog: Catalog) -> None:
    """A landing and what its gates say, a release of the corpus and of a model."""
    landing = seed(catalog, "donations/landing", DONATION, files={"manifest.json": MANIFEST})
    approval = admit(catalog, "approval", landing)
    gates = [{"gate": "approval", "judged": landing.key, "judgedDigest": landing.digest}]

    def write(out: Output) -> None:
        out.json("admission.json", {"gates": gates})

    catalog.materialise(
        "filtering/admitted", DONATION, zone=Zone.EVIDENCE, inputs=[approval.only("verdict")],
        config={}, code_version="1", produce=write,
    )  # fmt: skip
    seed(catalog, "corpus/release", "1.0.0", files={"release.json": {"name": "dansk"}})
    checkpoint = seed(catalog, "training/checkpoint", "run-1-100", files={"w.json": [1.5]})
    catalog.materialise(
        "transparency/records", "1.0.0", zone=Zone.PUBLIC, inputs=[checkpoint], config={},
        code_version="1", produce=lambda out: out.json("card.json", 1),
    )  # fmt: skip


def test_everything_is_taken_up_once_and_valid(catalog: Catalog):
    donation(catalog)
    first = append_new(catalog)
    assert_whole(catalog)
    assert {entry.asset for entry in logged(catalog)} == {
        "key/statements", "key/log", "key/consortium", "key/donor", "policy/evidence",
        "donations/landing", "gate/approval", "test-result/approval", "approval/donation",
        "filtering/admitted", "verification/admitted", "corpus/release", "release/corpus",
        "training/checkpoint", "transparency/records", "release/model",
    }  # fmt: skip
    assert first.added == first.size == 16
    assert append_new(catalog).added == 0
    seed(catalog, "a/later", files={"x.json": 1})
    assert append_new(catalog) == type(first)(1, 17)
    assert_whole(catalog)


def test_what_is_derived_says_what_was_decided(catalog: Catalog):
    donation(catalog)
    other = seed(catalog, "donations/landing", "dsk-2026-0002@1.0.0",
                 files={"manifest.json": MANIFEST | {"x": 1}})  # fmt: skip
    admit(catalog, "approval", other, admitted=False)
    append_new(catalog)

    def content(asset: str, partition: str) -> dict:
        path = f"{ATTESTATIONS}/{asset}/{partition}/000001.json"
        return open_envelope(catalog.lake.read(path)).statement

    landing = catalog.require("donations/landing", DONATION)
    passed = content("test-result/approval", DONATION)
    assert passed["predicate"]["result"] == "PASSED"
    assert passed["predicate"]["passedTests"] == ["test"]
    assert passed["subject"][0]["digest"]["sha256"] == landing.digest
    refused = content("test-result/approval", "dsk-2026-0002@1.0.0")
    assert (refused["predicate"]["result"], refused["predicate"]["failedTests"]) == (
        "FAILED", ["test"]
    )  # fmt: skip
    assert not catalog.lake.names(f"{ATTESTATIONS}/approval/donation/dsk-2026-0002@1.0.0")
    verified = content("verification/admitted", DONATION)["predicate"]
    gate = catalog.require("gate/approval", DONATION)
    assert [one["digest"]["sha256"] for one in verified["inputAttestations"]] == [
        gate.statement_digest
    ]
    assert content("release/corpus", "1.0.0")["predicate"]["purl"] == "pkg:generic/dansk@1.0.0"
    model = content("release/model", "1.0.0")["subject"]
    checkpoint = catalog.require("training/checkpoint", "run-1-100")
    assert model[0]["digest"]["sha256"] == checkpoint.digest


def test_no_statement_names_a_person(catalog: Catalog):
    donation(catalog)
    append_new(catalog)
    for path in in_lake(catalog):
        assert b"Opfundet" not in open_envelope(catalog.lake.read(path)).payload
    assert all(b"Opfundet" not in entry.as_bytes() for entry in logged(catalog))


KILLED = """
import os, signal, sys
from tests.test_sequencer import donation
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.sequencer import append_new
from dsk_assets.lake.store import Lake
from dsk_assets.settings import load_settings
catalog = Catalog(load_settings(home=sys.argv[1]))
left = int(sys.argv[2])
writing = Lake.writing
def counted(self, path, **options):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return writing(self, path, **options)
Lake.writing = counted
donation(catalog)
append_new(catalog)
"""


@pytest.mark.parametrize("writes", [1, 12, 15, 20, 23, 25])
def test_killed_between_any_two_steps_the_next_run_repairs_it(catalog: Catalog, writes: int):
    """Between output and statement, statement and derived one, these and tiles, tiles and
    checkpoint."""
    command = [sys.executable, "-c", KILLED, str(catalog.settings.home), str(writes)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    donation(catalog)
    append_new(catalog)
    assert_whole(catalog)
    assert len(logged(catalog)) == 16


WRITER = """
import sys
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.sequencer import append_new
from dsk_assets.settings import load_settings
from tests.support import admit, seed
catalog = Catalog(load_settings(home=sys.argv[1]))
for i in range(8):
    made = seed(catalog, "a/" + sys.argv[2], str(i), files={"x.json": i})
    admit(catalog, "x", seed(catalog, "a/both", str(i), files={"x.json": i}))
    if i % 3 == 0:
        append_new(catalog)
"""


def test_writers_at_once_lose_and_repeat_nothing(catalog: Catalog):
    command = [sys.executable, "-c", WRITER, str(catalog.settings.home)]
    writers = [subprocess.Popen([*command, name]) for name in "bc"]
    assert [writer.wait() for writer in writers] == [0, 0]
    append_new(catalog)
    assert_whole(catalog)
    assert sum(entry.asset in ("a/b", "a/c", "a/both") for entry in logged(catalog)) == 24


def test_a_forged_statement_is_named_and_all_others_are_taken_up(catalog: Catalog):
    made = seed(catalog, "a/x", files={"x.json": 1})
    path = f"{STATEMENTS}/a/x/_/000001.json"
    forged = seal(dict(made.statement), [CryptoSigner.generate_ed25519()])
    catalog.lake.remove(path)
    with catalog.lake.writing(path) as file:
        file.write_bytes(forged.as_bytes())
    broken = f"{STATEMENTS}/a/z/_/000001.json"
    with catalog.lake.writing(broken) as file:
        file.write_bytes(b"{}")
    seed(catalog, "a/y", files={"x.json": 1})
    for _ in range(2):
        with pytest.raises(CorruptedError) as error:
            append_new(catalog)
        assert f"{path} is not signed by a key in force of the role statements" in str(error.value)
        assert f"{broken} is not a readable statement" in str(error.value)
    entries = [entry.asset for entry in logged(catalog)]
    assert "a/y" in entries and "a/x" not in entries and "a/z" not in entries


def test_copies_and_strays_are_named_and_not_taken_up(catalog: Catalog):
    seed(catalog, "a/x", "k", files={"x.json": 1})
    append_new(catalog)
    seed(catalog, "a/y", "k", files={"x.json": 1})
    data = catalog.lake.read(f"{STATEMENTS}/a/x/k/000001.json")
    names = ("a/x/k/000002.json", "a/x/other/000001.json", "a/x/k/notes.json", "a/000001.json")
    for name in names:
        with catalog.lake.writing(f"{STATEMENTS}/{name}") as path:
            path.write_bytes(data)
    for _ in range(2):
        with pytest.raises(CorruptedError) as error:
            append_new(catalog)
        assert f"{STATEMENTS}/{names[0]} is a copy of another statement" in str(error.value)
        for name in names[1:]:
            assert f"{STATEMENTS}/{name} is not a readable statement of its place" in str(
                error.value
            )
    assert [one.asset for one in logged(catalog) if one.asset.startswith("a/")] == ["a/x", "a/y"]


def test_a_key_that_the_log_does_not_know_is_refused(catalog: Catalog):
    seed(catalog, "a/x", files={"x.json": 1})
    append_new(catalog)
    keys.key_path(catalog.settings, keys.STATEMENTS).unlink()
    with pytest.raises(SettingsError, match="which the log does not know"):
        append_new(catalog)


def waiting(digest: str, refers: frozenset[str], ended: str) -> Waiting:
    entry = Entry("a/x", digest, 1, predicates.PROVENANCE, digest, digest)
    return Waiting(entry, digest, seal({}, []), ended, refers)


@hypothesis_settings(max_examples=50)
@given(st.data())
def test_the_order_is_one_for_one_content_and_keeps_what_is_named_first(data: st.DataObject):
    count = data.draw(st.integers(1, 12))
    digests = [sha256_json(i) for i in range(count)]
    items = [
        waiting(
            digest,
            frozenset(data.draw(st.sets(st.sampled_from(digests[:i])))) if i else frozenset(),
            str(data.draw(st.integers(0, 3))),
        )
        for i, digest in enumerate(digests)
    ]
    ordered = in_order(data.draw(st.permutations(items)))
    assert ordered == in_order(items)
    assert len(ordered) == count
    place = {one.entry.statement: i for i, one in enumerate(ordered)}
    assert all(place[name] < place[one.entry.statement] for one in items for name in one.names)


def test_a_proof_of_a_statement(catalog: Catalog):
    donation(catalog)
    append_new(catalog)
    found = prove(catalog, "corpus/release", "1.0.0")
    made = catalog.require("corpus/release", "1.0.0")
    assert (found.entry.statement, found.entry.number) == (made.statement_digest, 1)
    head, _, rest = found.text.partition("\n\n")
    checkpoint = Checkpoint.parse(Note.parse(rest.encode()).text)
    hashes = [base64.b64decode(line) for line in head.split("\n")[2:]]
    leaf = leaf_hash(found.entry.as_bytes())
    assert verify_inclusion(leaf, found.position, checkpoint.size, hashes, checkpoint.root)
    with pytest.raises(MissingInputError, match="no statement 2 of corpus/release"):
        prove(catalog, "corpus/release", "1.0.0", 2)
    with pytest.raises(MissingInputError, match="takes up what is new"):
        prove(catalog, "a/none")


def test_the_index_is_made_again_when_the_log_is_another(catalog: Catalog, tmp_path):
    seed(catalog, "a/x", files={"x.json": 1})
    append_new(catalog)
    other = Catalog(load_settings(home=tmp_path / "other"))
    for i in range(9):
        seed(other, f"a/x{i}", files={"x.json": 1})
    append_new(other)
    for cache in (catalog.settings.home / "cache").glob("log-index*"):
        shutil.copy(cache, other.settings.home / "cache")
    assert prove(other, "a/x3").entry.asset == "a/x3"
    with pytest.raises(MissingInputError):
        prove(other, "a/x")


def test_the_standing_says_what_is_not_proven(catalog: Catalog):
    assert standing(catalog).as_text() == "The log is empty."
    seed(catalog, "a/x", files={"x.json": 1})
    append_new(catalog)
    text = standing(catalog).as_text()
    assert "6 entries" in text
    assert Log(catalog.settings, catalog.lake).key().vkey in text
    assert "Not proven: No witness has cosigned the log" in text
    assert "Not proven: These keys are development keys" in text
    assert "same machine as the data: consortium, donor, log, statements." in text
    assert len(json.loads(json.dumps(standing(catalog).as_json()))["unproven"]) == 2


def test_files_of_the_log_are_open_to_auditors_and_hold_only_digests(catalog: Catalog):
    donation(catalog)
    append_new(catalog)
    lake: Lake = catalog.lake
    for path in lake.files(f"{FOLDER}/tile/entries"):
        assert b"aftale" not in lake.read(f"{FOLDER}/tile/entries/{path}")
