"""Keys in the log: added, replaced, revoked by statements; two signatures where two must sign."""

import datetime as dt
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from securesystemslib.signer import CryptoSigner

from dsk_assets.cli.main import main
from dsk_assets.errors import CorruptedError, MissingInputError, SettingsError
from dsk_assets.evidence import attestations, keys, predicates, rotation
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.entries import ATTESTATIONS
from dsk_assets.evidence.envelope import open_envelope
from dsk_assets.evidence.keyring import public_key, replay
from dsk_assets.evidence.log import Log
from dsk_assets.evidence.sequencer import append_new, keyring
from dsk_assets.evidence.standing import standing
from dsk_assets.evidence.withdrawals import withdraw
from dsk_assets.settings import load_settings
from tests.support import DONATION, seed
from tests.test_envelope import written
from tests.test_sequencer import assert_whole, donation, logged


def current(catalog: Catalog, role: str = keys.STATEMENTS) -> str:
    return str(keys.signer(catalog.settings, role).public_key.keyid)


@pytest.mark.parametrize("role", [keys.STATEMENTS, keys.LOG, keys.CONSORTIUM])
def test_a_key_is_replaced_and_everything_goes_on(catalog: Catalog, role: str):
    donation(catalog)
    append_new(catalog)
    before = current(catalog, role)
    seed(catalog, "a/unlogged", files={"x.json": 1})
    after = rotation.rotate(catalog, role, reason="every year")
    assert after == current(catalog, role) != before
    seed(catalog, "a/later", files={"x.json": 1})
    append_new(catalog)
    assert_whole(catalog)
    ring, size = keyring(catalog)
    old, new = ring.known[before], ring.known[after]
    assert (old.until, old.revoked, new.until) == (new.since, False, None)
    assert not old.holds_at(size) and new.holds_at(size)
    statement = catalog.lake.read(f"{ATTESTATIONS}/key/{role}/{after}/000001.json")
    signed = open_envelope(statement).signed_by(map(public_key, (old, new)))
    assert signed == {before, after}


def test_a_replaced_key_signs_nothing_any_more(catalog: Catalog, tmp_path: Path):
    seed(catalog, "a/x", files={"x.json": 1})
    append_new(catalog)
    path = keys.key_path(catalog.settings, keys.STATEMENTS)
    shutil.copy(path, tmp_path / "old.pem")
    rotation.rotate(catalog, keys.STATEMENTS)
    new = path.read_bytes()
    (tmp_path / "old.pem").replace(path)
    seed(catalog, "a/by-old-key", files={"x.json": 1})
    with pytest.raises(SettingsError, match="which the log does not know"):
        append_new(catalog)
    path.unlink()
    path.write_bytes(new)
    path.chmod(0o600)
    with pytest.raises(CorruptedError, match=r"a/by-old-key.* is not signed by a key in force"):
        append_new(catalog)
    assert "a/by-old-key" not in {entry.asset for entry in logged(catalog)}


@pytest.mark.parametrize("role", [keys.STATEMENTS, keys.LOG])
def test_a_crash_before_the_new_key_is_in_use_is_repaired(catalog: Catalog, role, monkeypatch):
    seed(catalog, "a/x", files={"x.json": 1})

    def crash(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(rotation, "finish", crash)
        rotation.rotate(catalog, role)
    seed(catalog, "a/y", files={"x.json": 1}) if role == keys.LOG else None
    append_new(catalog)
    assert_whole(catalog)
    ring, size = keyring(catalog)
    assert [one.keyid for one in ring.at(size, role)] == [current(catalog, role)]
    assert not keys.next_path(catalog.settings, role).exists()


def test_a_given_key_is_replaced_by_a_given_one(tmp_path: Path):
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    first = written(ed25519.Ed25519PrivateKey.generate(), tmp_path / "first.pem")
    second = written(ec.generate_private_key(ec.SECP256R1()), tmp_path / "second.pem")
    log = written(ed25519.Ed25519PrivateKey.generate(), tmp_path / "log.pem")
    given = {"home": tmp_path / "dsk", "log_key": str(log)}
    catalog = Catalog(load_settings(signing_key=str(first), **given))
    seed(catalog, "a/x", files={"x.json": 1})
    append_new(catalog)
    with pytest.raises(SettingsError, match="name the file of the new one with --to"):
        rotation.rotate(catalog, keys.STATEMENTS)
    rotation.rotate(catalog, keys.STATEMENTS, to=second)
    with pytest.raises(SettingsError, match="which the log does not know"):
        append_new(catalog)
    changed = Catalog(load_settings(signing_key=str(second), **given))
    seed(changed, "a/y", files={"x.json": 1})
    append_new(changed)
    assert_whole(changed)
    assert not any("development" in english for english, _ in standing(changed).unproven)


def test_a_given_key_of_the_consortium_goes_where_rotation_says(catalog: Catalog, tmp_path: Path):
    seed(catalog, "a/x", files={"x.json": 1})
    append_new(catalog)
    new = tmp_path / "new.pem"
    keys.make(new)
    place = keys.key_path(catalog.settings, keys.CONSORTIUM)
    arguments = "evidence", "keys", "rotate", "consortium", "--to", str(new)
    said = CliRunner().invoke(main, arguments, env={"DSK_HOME": str(catalog.settings.home)})
    assert f"{new} as {place}" in said.output
    with pytest.raises(SettingsError, match=f"not know as one in force .* as {place}"):
        append_new(catalog)
    shutil.copy(new, place)
    append_new(catalog)
    assert_whole(catalog)


def test_a_key_is_revoked(catalog: Catalog):
    seed(catalog, "a/x", files={"x.json": 1})
    first = current(catalog)
    append_new(catalog)
    with pytest.raises(SettingsError, match="dsk evidence keys rotate statements"):
        rotation.revoke(catalog, first, "lost")
    rotation.rotate(catalog, keys.STATEMENTS)
    rotation.revoke(catalog, first, "lost")
    ring, _ = keyring(catalog)
    assert ring.known[first].revoked
    donor = CryptoSigner.generate_ecdsa().public_key
    rotation.add(catalog, keys.DONOR, donor, holder="12345678")
    with pytest.raises(SettingsError, match=r"knows key .* already"):
        rotation.add(catalog, keys.DONOR, donor)
    rotation.revoke(catalog, donor.keyid, "left")
    ring, size = keyring(catalog)
    assert donor.keyid not in [one.keyid for one in ring.at(size, keys.DONOR)]
    with pytest.raises(SettingsError, match="revoked already"):
        rotation.revoke(catalog, donor.keyid, "left")
    with pytest.raises(MissingInputError, match="knows no key"):
        rotation.revoke(catalog, "0" * 64, "none")
    assert_whole(catalog)


def test_a_key_that_nobody_in_force_has_added_is_refused(catalog: Catalog):
    seed(catalog, "a/x", files={"x.json": 1})
    append_new(catalog)
    stranger = CryptoSigner.generate_ed25519()
    statement = predicates.key_statement("add", keys.STATEMENTS, stranger.public_key)
    from dsk_assets.evidence.envelope import seal

    path = f"{ATTESTATIONS}/key/statements/{stranger.public_key.keyid}/000001.json"
    with catalog.lake.writing(path) as file:
        file.write_bytes(seal(statement, [stranger]).as_bytes())
    with pytest.raises(CorruptedError, match="without a key in force signing for it"):
        append_new(catalog)
    assert stranger.public_key.keyid not in keyring(catalog)[0].known


def test_a_pinned_root_is_the_only_one(catalog: Catalog):
    seed(catalog, "a/x", files={"x.json": 1})
    append_new(catalog)
    entries = list(Log(catalog.settings, catalog.lake).entries())
    assert replay(entries, catalog.lake, pinned=current(catalog)).known
    with pytest.raises(CorruptedError, match="not with the pinned"):
        replay(entries, catalog.lake, pinned="0" * 64)


def test_a_changed_key_statement_is_named(catalog: Catalog):
    seed(catalog, "a/x", files={"x.json": 1})
    append_new(catalog)
    path = f"{ATTESTATIONS}/key/statements/{current(catalog)}/000001.json"
    data = catalog.lake.read(path)
    with catalog.lake.writing(path) as file:
        file.write_bytes(data.replace(b'"keyid"', b' "keyid"'))
    with pytest.raises(CorruptedError, match="is not the statement that was logged"):
        append_new(catalog)


@pytest.fixture
def production(tmp_path: Path) -> Catalog:
    """A platform that has its own keys, and those of nobody else."""
    from cryptography.hazmat.primitives.asymmetric import ed25519

    given = [
        str(written(ed25519.Ed25519PrivateKey.generate(), tmp_path / name))
        for name in ("statements.pem", "log.pem")
    ]
    settings = load_settings(home=tmp_path / "dsk", signing_key=given[0], log_key=given[1])
    return Catalog(settings, run_id="test")


def test_two_must_sign_an_approval(production: Catalog, tmp_path: Path):
    donation(production)
    append_new(production)
    assert_whole(production)
    assert "approval/donation" not in {entry.asset for entry in logged(production)}
    ring, size = keyring(production)
    waiting = {one.asset: one for one in attestations.pending(production.lake, ring, size)}
    assert waiting["approval/donation"].missing == ("consortium", "donor")
    assert waiting["release/corpus"].missing == ("consortium",)
    assert standing(production).pending == 3
    signers = {}
    for role, make in (
        ("consortium", CryptoSigner.generate_ed25519), ("donor", CryptoSigner.generate_ecdsa)
    ):  # fmt: skip
        signers[role] = make()
        with pytest.raises(SettingsError, match="dsk evidence keys add"):
            attestations.sign(
                production.lake, ring, size, waiting["approval/donation"], signers[role]
            )
        rotation.add(production, role, signers[role].public_key, holder="12345678")
    ring, size = keyring(production)
    one = attestations.sign(
        production.lake, ring, size, waiting["approval/donation"], signers["donor"]
    )
    assert one.missing == ("consortium",)
    with pytest.raises(SettingsError, match="role donor is not missing here"):
        attestations.sign(production.lake, ring, size, one, signers["donor"])
    append_new(production)
    assert "approval/donation" not in {entry.asset for entry in logged(production)}
    assert not attestations.sign(production.lake, ring, size, one, signers["consortium"]).missing
    append_new(production)
    assert "approval/donation" in {entry.asset for entry in logged(production)}
    assert_whole(production)
    assert standing(production).pending == 2


def test_the_same_statement_waits_once(production: Catalog):
    donation(production)
    append_new(production)
    paths = production.lake.files(attestations.PENDING)
    append_new(production)
    assert production.lake.files(attestations.PENDING) == paths


def test_the_commands(production: Catalog, tmp_path: Path):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    settings = production.settings
    environment = {
        "DSK_HOME": str(settings.home),
        "DSK_SIGNING_KEY": settings.signing_key.get_secret_value(),
        "DSK_LOG_KEY": settings.log_key.get_secret_value(),
    }

    def dsk(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, arguments, env=environment)
        assert result.exit_code == code, result.output
        return result.output

    donation(production)
    assert "statements taken up" in dsk("evidence", "append")
    waiting = dsk("evidence", "pending")
    assert f"approval/donation {DONATION} 1: consortium, donor" in waiting
    sign = ("evidence", "sign", "approval/donation", DONATION, "--key")
    for role, said in (("donor", "still missing: consortium"), ("consortium", "signed by all")):
        private = ed25519.Ed25519PrivateKey.generate()
        key = str(written(private, tmp_path / f"{role}.pem"))
        assert "keys add" in dsk(*sign, key, code=1)
        public = tmp_path / f"{role}.pub"
        public.write_bytes(
            private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        added = dsk("evidence", "keys", "add", str(public), "--role", role, "--holder", "12345678")
        assert added == f"added key {keys.load(Path(key)).public_key.keyid} for {role}\n"
        assert said in dsk(*sign, key)
    assert "no statement of approval/donation" in dsk(*sign, key, code=1)
    add = ("evidence", "keys", "add")
    assert "x: there is no such file" in dsk(*add, "x", "--role", "donor", code=1)
    assert "is not a public key" in dsk(*add, key, "--role", "donor", code=1)
    assert "is not a public key" in dsk(*add, "x", "--role", "witness", code=1)
    donor = str(keys.load(tmp_path / "donor.pem").public_key.keyid)
    dsk("evidence", "keys", "revoke", donor, "--reason", "left")
    (shown,) = [line for line in dsk("evidence", "keys", "list").splitlines() if donor in line]
    assert f"{donor}  revoked" in shown
    assert "CVR 12345678" in shown
    new = str(written(ed25519.Ed25519PrivateKey.generate(), tmp_path / "new.pem"))
    assert f"{new} as DSK_SIGNING_KEY" in dsk(
        "evidence", "keys", "rotate", "statements", "--to", new
    )
    environment["DSK_SIGNING_KEY"] = new
    later = Catalog(load_settings(home=settings.home, signing_key=new,
                                  log_key=environment["DSK_LOG_KEY"]))  # fmt: skip
    withdraw(later, DONATION, dt.date(2026, 11, 20), "the agreement ended")
    erase = ("evidence", "erase", "withdrawal/donation", DONATION, "--reason", "case 17")
    assert dsk(*erase).startswith("erased the detail")
    assert "had been erased already" in dsk(*erase)
    assert_whole(later)
