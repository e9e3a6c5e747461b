"""What a dishonest or clumsy hand does to an evidence pack: each is named."""

import json
import random
import zipfile
from collections.abc import Mapping

import pytest

from dsk_assets.evidence import predicates
from dsk_assets.evidence.verify.bundle import verifier
from dsk_assets.evidence.verify.pack import pack
from dsk_assets.evidence.verify.standalone import ALWAYS, Pack, verify_pack
from dsk_assets.lake.digests import canonical_json, sha256_bytes
from tests.evidence_lake import RELEASE, Home
from tests.tampered_lake import DEEP, garbled
from tests.tampered_lake import home as home
from tests.tampered_lake import intact as intact


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
