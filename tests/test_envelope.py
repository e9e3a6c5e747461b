"""Signed statements: envelopes, where keys come from, and what a signature covers."""

import base64
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from securesystemslib.dsse import Envelope as ReferenceEnvelope
from securesystemslib.signer import CryptoSigner

from dsk_assets.errors import CorruptedError, SettingsError
from dsk_assets.evidence import keys
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.envelope import PAYLOAD_TYPE, open_envelope, pae, seal
from dsk_assets.lake.digests import canonical_json, sha256_bytes
from dsk_assets.settings import load_settings
from tests.support import seed

STATEMENT = {"_type": "https://in-toto.io/Statement/v1", "subject": [], "b": 1, "a": "æ"}
SIGNERS = {
    "ed25519": CryptoSigner.generate_ed25519,
    "ecdsa-p256": CryptoSigner.generate_ecdsa,
}


def written(key, path: Path, mode: int = 0o600) -> Path:
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    path.chmod(mode)
    return path


def test_the_signed_bytes_are_those_of_the_dsse_specification():
    # protocol.md: DSSEv1 SP LEN(type) SP type SP LEN(body) SP body
    assert pae(b"hello") == b"DSSEv1 28 application/vnd.in-toto+json 5 hello"


@pytest.mark.parametrize("kind", SIGNERS)
def test_another_implementation_verifies_the_envelope(kind: str):
    signer = SIGNERS[kind]()
    content = json.loads(seal(STATEMENT, [signer]).as_bytes())
    assert content["payloadType"] == PAYLOAD_TYPE
    assert base64.b64decode(content["payload"]) == canonical_json(STATEMENT)
    reference = ReferenceEnvelope.from_dict(content)
    assert set(reference.verify([signer.public_key], 1)) == {signer.public_key.keyid}


@pytest.mark.parametrize("kind", SIGNERS)
def test_a_changed_payload_has_no_signature(kind: str):
    signer = SIGNERS[kind]()
    sealed = seal(STATEMENT, [signer])
    assert sealed.signed_by([signer.public_key]) == {signer.public_key.keyid}
    forged = type(sealed)(canonical_json(STATEMENT | {"b": 2}), sealed.signatures)
    assert forged.signed_by([signer.public_key]) == set()
    assert sealed.signed_by([SIGNERS[kind]().public_key]) == set()


def test_further_signatures_leave_the_digest():
    first, second = CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa()
    one = seal(STATEMENT, [first])
    both = open_envelope(one.signed(second).as_bytes())
    assert both.digest == one.digest == sha256_bytes(canonical_json(STATEMENT))
    known = [first.public_key, second.public_key]
    assert both.signed_by(known) == {key.keyid for key in known}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'{"payload":"bm90IGpzb24=","payloadType":"application/vnd.in-toto+json","signatures":[]}',
        b'{"payload":"W10=","payloadType":"application/vnd.in-toto+json","signatures":[]}',
        b'{"payload":"e30=","payloadType":"text/plain","signatures":[]}',
        b'{"payload":"e30*","payloadType":"application/vnd.in-toto+json","signatures":[]}',
    ],
)
def test_what_is_no_envelope_is_refused(data: bytes):
    with pytest.raises(CorruptedError, match="not a readable signed statement"):
        open_envelope(data)


def test_the_catalog_signs_what_it_writes(catalog: Catalog):
    made = seed(catalog, "a/x", "k", files={"x.json": 1})
    data = catalog.lake.read("evidence/statements/a/x/k/000001.json")
    envelope = open_envelope(data)
    assert data == envelope.as_bytes() == canonical_json(json.loads(data))
    assert envelope.statement == made.statement
    assert envelope.digest == made.statement_digest
    assert made.number == 1
    key = keys.signer(catalog.settings, keys.STATEMENTS).public_key
    assert envelope.signed_by([key]) == {key.keyid}


def test_a_development_key_is_for_its_owner_alone_and_warned_of(catalog: Catalog, caplog):
    seed(catalog, "a/x", files={"x.json": 1})
    path = keys.key_path(catalog.settings, keys.STATEMENTS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [name.name for name in path.parent.iterdir()] == ["statements.pem"]
    assert "development key for statements" in caplog.text
    caplog.clear()
    seed(catalog, "a/y", files={"x.json": 1})
    assert not caplog.text


def test_two_processes_agree_on_the_first_key(settings):
    script = """
import sys
from dsk_assets.evidence import keys
from dsk_assets.settings import load_settings
print(keys.signer(load_settings(home=sys.argv[1]), "statements").public_key.keyid)
"""
    command = [sys.executable, "-c", script, str(settings.home)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert len({process.communicate()[0] for process in both}) == 1


def test_production_keys_come_from_file_or_text(tmp_path, monkeypatch):
    path = written(ec.generate_private_key(ec.SECP256R1()), tmp_path / "key.pem")
    ids = set()
    for value in (str(path), path.read_text()):
        monkeypatch.setenv("DSK_SIGNING_KEY", value)
        settings = load_settings(home=tmp_path / "dsk")
        assert not keys.is_development(settings, keys.STATEMENTS)
        assert value not in repr(settings)
        ids.add(keys.signer(settings, keys.STATEMENTS).public_key.keyid)
    assert len(ids) == 1
    assert not (tmp_path / "dsk" / "keys").exists()
    with pytest.raises(SettingsError, match="no key of the role donor here"):
        keys.signer(settings, keys.DONOR)


def test_keys_that_cannot_be_used_are_named(tmp_path, monkeypatch):
    def refused(value: Path, match: str) -> None:
        monkeypatch.setenv("DSK_SIGNING_KEY", str(value))
        with pytest.raises(SettingsError, match=match):
            keys.signer(load_settings(home=tmp_path / "dsk"), keys.STATEMENTS)

    good = ec.generate_private_key(ec.SECP256R1())
    refused(tmp_path / "none.pem", "DSK_SIGNING_KEY: the key cannot be read")
    refused(written(good, tmp_path / "open.pem", 0o644), "open to everybody")
    (tmp_path / "text.pem").write_text("no key")
    (tmp_path / "text.pem").chmod(0o600)
    refused(tmp_path / "text.pem", "not a private key in PEM")
    other = rsa.generate_private_key(65537, 2048)
    refused(written(other, tmp_path / "rsa.pem"), "are not supported")
    p384 = ec.generate_private_key(ec.SECP384R1())
    refused(written(p384, tmp_path / "p384.pem"), "are not supported")
