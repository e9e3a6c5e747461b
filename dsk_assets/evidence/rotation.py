"""Adding, replacing and revoking keys: by statements in the log, signed by keys in force."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from dsk_assets.errors import MissingInputError, SettingsError
from dsk_assets.evidence import attestations, keys, predicates, sequencer
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.keyring import KeyRing, public_key
from dsk_assets.evidence.log import Log, ed25519
from dsk_assets.evidence.notes import COSIGNATURE, ED25519, NoteKey
from dsk_assets.evidence.verify import trust

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key

CVR = re.compile(r"[0-9]{8}")


def add(
    catalog: Catalog, role: str, key: "Key", *, holder: str | None = None, vkey: str | None = None
) -> bool:
    """Make the public *key* of a member known for a role, such as donor or witness.

    Returns whether it is in the log now: it waits there where the consortium must sign for it and
    its key is not here.
    """
    sequencer.append_new(catalog)
    ring, _ = sequencer.keyring(catalog)
    known = ring.known.get(key.keyid)
    if known is not None:
        raise SettingsError(
            f"the log knows key {key.keyid} already, for {known.role} — give one of its own for "
            "each role, and a new one where the old one has ended"
        )
    statement = predicates.key_statement("add", role, key, holder=holder, vkey=vkey)
    attestations.write(
        catalog.settings, catalog.lake, f"key/{role}", key.keyid, statement,
        needed=ring.needed(statement),
    )  # fmt: skip
    sequencer.append_new(catalog)
    return key.keyid in sequencer.keyring(catalog)[0].known


def add_given(catalog: Catalog, role: str, given: str, holder: str | None) -> tuple[str, bool]:
    """Add the key that *given* writes: a vkey, or the path of a PEM file with a public key.

    Returns the key's id, and whether it is in the log now; else it waits for the consortium's
    signature. Raises :class:`SettingsError` for what is neither, for a witness without a vkey, and
    for a *holder* that is no CVR number.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    try:
        if role == keys.WITNESS:
            note_key = NoteKey.parse(given)
            if note_key.kind != COSIGNATURE:
                raise ValueError("a log's key")
            public = SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(note_key.public))
        else:
            public = SSlibKey.from_crypto(load_pem_public_key(Path(given).read_bytes()))
    except FileNotFoundError:
        raise SettingsError(
            f"{given}: there is no such file — give a PEM file with the member's public key"
        ) from None
    except (ValueError, OSError):
        raise SettingsError(
            f"{given!r} is not a public key — give a PEM file, or for a witness the vkey that "
            "`dsk evidence witness` prints"
        ) from None
    if public.scheme not in keys.SCHEMES:
        raise SettingsError(
            f"{given}: keys of {public.scheme} are not supported — use Ed25519 or ECDSA on P-256"
        )
    if holder is not None and not CVR.fullmatch(holder):
        raise SettingsError(
            "the holder of a key is named by the eight digits of its CVR number; the log keeps "
            "it for ever, so never name a person"
        )
    vkey = given if role == keys.WITNESS else None
    return str(public.keyid), add(catalog, role, public, holder=holder, vkey=vkey)


def rotate(catalog: Catalog, role: str, to: Path | None = None, reason: str | None = None) -> str:
    """Replace this machine's key of *role*; returns the new key's id.

    The new key is that in the file *to*, or a new development key. Old and new key sign the
    statement. Raises :class:`SettingsError` when a given key would have to be replaced by one
    that is not given.
    """
    settings = catalog.settings
    if to is None and not keys.is_development(settings, role):
        raise SettingsError(
            f"the key of the role {role} is given by a setting — name the file of the new one "
            "with --to, and change the setting afterwards"
        )
    sequencer.append_new(catalog)
    path = to or keys.next_path(settings, role)
    if to is None:
        keys.make(path)
    old, new = keys.signer(settings, role), keys.load(path)
    if new.public_key.keyid == old.public_key.keyid:
        raise SettingsError(f"{path} holds the key that is in use — give another one")
    log = Log(settings, catalog.lake)
    statement = predicates.key_statement(
        "rotate",
        role,
        new.public_key,
        development=to is None,
        replaces=old.public_key.keyid,
        vkey=_log_vkey(log, new) if role == keys.LOG else None,
        reason=reason,
    )
    _write(catalog, role, new.public_key, statement, old, new)
    sequencer.append_new(catalog)
    with log.sequencing():
        finish(log, role, new, path if to is None else None)
    return new.public_key.keyid


def finish(log: Log, role: str, new: "CryptoSigner", path: Path | None) -> None:
    """Put the *new* key in the old one's place, as the log has it; by a caller who is sequencing.

    The newest checkpoint is signed by the new log key besides, so that the log goes on from it.
    *path* is where a new development key lies.
    """
    if role == keys.LOG:
        log.sign_again(ed25519(new, str(path)))
    if path is not None:
        path.replace(keys.key_path(log.settings, role))


def revoke(catalog: Catalog, keyid: str, reason: str) -> None:
    """End a key: from its place in the log on, nothing that it signs counts.

    Raises :class:`MissingInputError` for a key that the log does not know, and
    :class:`SettingsError` for one that this machine signs with, one that was revoked, and the
    consortium's last one, without which no key could be added any more.
    """
    sequencer.append_new(catalog)
    ring, size = sequencer.keyring(catalog)
    key = ring.known.get(keyid)
    if key is None:
        raise MissingInputError(f"the log knows no key {keyid} — `dsk evidence keys list`")
    if key.revoked:
        raise SettingsError(f"key {keyid} has been revoked already")
    _refuse_own(catalog, key, size)
    _refuse_last(ring, key, size)
    statement = predicates.key_statement(
        "revoke",
        key.role,
        public_key(key),
        holder=key.holder,
        development=key.development,
        vkey=key.vkey,
        reason=reason,
    )
    _write(catalog, key.role, public_key(key), statement)
    sequencer.append_new(catalog)


def _refuse_last(ring: KeyRing, key: trust.Key, size: int) -> None:
    left = [one for one in ring.at(size, keys.CONSORTIUM) if one != key]
    if key.role == keys.CONSORTIUM and key.holds_at(size) and not left:
        raise SettingsError(
            f"key {key.keyid} is the consortium's last one, and must sign for the next — add "
            "that first: dsk evidence keys add FILE --role consortium"
        )


def _refuse_own(catalog: Catalog, key: trust.Key, size: int) -> None:
    own = {
        keys.signer(catalog.settings, role).public_key.keyid for role in (keys.STATEMENTS, keys.LOG)
    }
    if key.holds_at(size) and key.keyid in own:
        raise SettingsError(
            f"key {key.keyid} is in use for {key.role} — replace it first: "
            f"dsk evidence keys rotate {key.role}"
        )


def _write(
    catalog: Catalog,
    role: str,
    key: "Key",
    statement: predicates.Statement,
    *signers: "CryptoSigner",
) -> None:
    attestations.write(
        catalog.settings, catalog.lake, f"key/{role}", key.keyid, statement, signers=signers
    )


def _log_vkey(log: Log, signer: "CryptoSigner") -> str:
    public = ed25519(signer, "the new key").public_key().public_bytes_raw()
    return NoteKey(log.key().name, ED25519, public).vkey
