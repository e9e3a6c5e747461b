"""Who may change the keys: each change that those did not sign who must is named."""

from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from dsk_assets.errors import CorruptedError
from dsk_assets.evidence import keys, predicates, sequencer
from dsk_assets.evidence.verify.lake import policy, verify
from tests.evidence_lake import DONATIONS
from tests.tampering import sign_anew, statement
from tests.test_evidence_signers import Platform, entered
from tests.test_evidence_signers import platform as platform
from tests.test_evidence_signers import signed as signed

OTHER = "61111111"


def private(platform: Platform, name: str) -> CryptoSigner:
    return keys.load(platform.folder / f"{name}.pem")


def changed(
    platform: Platform, action: str, role: str, key: CryptoSigner, *signers: str, **says: Any
) -> None:
    """Enter a change of keys in the log, signed by *signers* alone, as who has the log's key may.

    *signers* are names of the platform's key files; ``new`` is *key* itself.
    """
    content = predicates.key_statement(action, role, key.public_key, **says)
    folder = platform.evidence / "attestations/key" / role / key.public_key.keyid
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{len(list(folder.iterdir())) + 1:06d}.json"
    sign_anew(path, content, *(key if one == "new" else private(platform, one) for one in signers))
    entered(platform, path, f"key/{role}", key.public_key.keyid, content)


def wrong(platform: Platform) -> dict[str, str]:
    """The faults, each with its detail."""
    faults = verify(platform.catalog).faults
    return {fault.code: fault.detail for fault in faults if not fault.is_limit}


@pytest.mark.parametrize("role", ["donor", "consortium", "statements"])
def test_the_platform_alone_adds_no_further_key(platform: Platform, role: str):
    key = CryptoSigner.generate_ed25519()
    changed(platform, "add", role, key, "s", "new")
    assert wrong(platform) == {"key-without-consortium": f"key {key.public_key.keyid}"}
    with pytest.raises(CorruptedError, match="without the consortium signing"):
        sequencer.keyring(platform.catalog)


def test_what_such_a_key_signs_does_not_count(platform: Platform):
    """The platform gives both signatures of an approval, with two keys that it added itself."""
    own = [CryptoSigner.generate_ed25519() for _ in range(2)]
    for role, key in zip(("donor", "consortium"), own, strict=True):
        changed(platform, "add", role, key, "s")
    path = platform.evidence / "attestations/approval/donation" / DONATIONS[0] / "000001.json"
    content = statement(path)
    content["subject"].reverse()
    later = path.with_name("000002.json")
    sign_anew(later, content, *own)
    entered(platform, later, "approval/donation", DONATIONS[0], content)
    assert set(wrong(platform)) == {"key-without-consortium", "signature-by-unknown-key"}


def test_with_the_consortium_it_adds_any(platform: Platform):
    path = platform.made("second")
    said = platform.dsk("keys", "add", str(path.with_suffix(".pub")), "--role", "donor").stdout
    assert f"key/donor {private(platform, 'second').public_key.keyid}" in said
    waiting = said.splitlines()[1].split()[3:5]
    assert " ".join(waiting) in platform.dsk("pending").stdout
    assert wrong(platform) == {}
    platform.dsk("sign", *waiting, "--key", str(platform.folder / "consortium.pem"))
    assert wrong(platform) == {}
    ring, size = sequencer.keyring(platform.catalog)
    assert len(ring.at(size, keys.DONOR)) == 2


@pytest.mark.parametrize(
    ("role", "old", "signers"),
    [
        ("log", "l", ("s", "new")),
        ("log", "l", ("s", "l")),
        ("statements", "s", ("s",)),
        ("donor", "donor", ("s", "new")),
        ("donor", "consortium", ("s", "consortium", "new")),
        ("donor", None, ("s", "new")),
    ],
)
def test_a_rotation_that_old_or_new_key_did_not_sign(
    platform: Platform, role: str, old: str | None, signers: tuple[str, ...]
):
    """Or whose old key is of another role, or none."""
    key = CryptoSigner.generate_ed25519()
    replaced = private(platform, old).public_key.keyid if old else None
    public = bytes.fromhex(key.public_key.keyval["public"])
    vkey = vkey_of(platform, public) if role == "log" else None
    changed(platform, "rotate", role, key, *signers, replaces=replaced, vkey=vkey)
    assert set(wrong(platform)) == {"key-rotated-alone"}
    with pytest.raises(CorruptedError, match="without both the old key"):
        sequencer.keyring(platform.catalog)


def vkey_of(platform: Platform, public: bytes) -> str:
    from dsk_assets.evidence.log import Log
    from dsk_assets.evidence.notes import ED25519, NoteKey

    name = Log(platform.catalog.settings, platform.catalog.lake).key().name
    return NoteKey(name, ED25519, public).vkey


def test_a_key_of_one_role_gets_no_second_one(platform: Platform):
    public = str(platform.folder / "consortium.pub")
    assert "already, for" in platform.dsk("keys", "add", public, "--role", "donor", code=1).output
    changed(platform, "add", "donor", private(platform, "s"), "s", "consortium")
    assert set(wrong(platform)) == {"key-again"}
    with pytest.raises(CorruptedError, match="before"):
        sequencer.keyring(platform.catalog)


def test_a_revocation_of_a_key_that_nobody_knows(platform: Platform):
    changed(platform, "revoke", "donor", CryptoSigner.generate_ed25519(), "s")
    assert set(wrong(platform)) == {"key-unknown"}


def test_a_log_key_whose_vkey_is_of_another(platform: Platform):
    key = CryptoSigner.generate_ed25519()
    changed(
        platform, "rotate", "log", key, "s", "l", "new", vkey=vkey_of(platform, bytes(32)),
        replaces=private(platform, "l").public_key.keyid,
    )  # fmt: skip
    assert set(wrong(platform)) == {"statement-unreadable"}


def test_the_consortiums_last_key_is_not_revoked(platform: Platform):
    keyid = private(platform, "consortium").public_key.keyid
    said = platform.dsk("keys", "revoke", keyid, "--reason", "lost", code=1).output
    assert "must sign for the next" in said
    path = platform.made("next")
    public = str(path.with_suffix(".pub"))
    said = platform.dsk("keys", "add", public, "--role", "consortium").stdout
    platform.dsk("sign", *said.splitlines()[1].split()[3:5], "--key",
                 str(platform.folder / "consortium.pem"))  # fmt: skip
    platform.dsk("keys", "revoke", keyid, "--reason", "lost")
    assert wrong(platform) == {}


def test_a_donor_signs_only_for_what_it_has_donated(platform: Platform, tmp_path: Path):
    path = platform.made("other")
    added = platform.dsk("keys", "add", str(path.with_suffix(".pub")), "--role", "donor",
                         "--holder", OTHER).stdout  # fmt: skip
    platform.dsk("sign", *added.splitlines()[1].split()[3:5], "--key",
                 str(platform.folder / "consortium.pem"))  # fmt: skip
    approval = platform.evidence / "attestations/approval/donation" / DONATIONS[0] / "000001.json"
    content = statement(approval)
    content["subject"].reverse()
    pending = platform.evidence / "pending/approval/donation" / DONATIONS[0] / "000002.json"
    pending.parent.mkdir(parents=True, exist_ok=True)
    sign_anew(pending, content, private(platform, "consortium"))
    said = platform.dsk("sign", "approval/donation", DONATIONS[0], "--key", str(path), code=1)
    assert f"held by {OTHER}" in said.output
    pending.unlink()
    later = approval.with_name("000002.json")
    sign_anew(later, content, private(platform, "consortium"), private(platform, "other"))
    entered(platform, later, "approval/donation", DONATIONS[0], content)
    assert wrong(platform) == {"signature-missing": "missing: donor"}


@pytest.mark.parametrize("holder", [OTHER, None])
def test_a_rotation_gives_the_key_to_nobody_else(platform: Platform, holder: str | None):
    """Else a donor could sign for another donor's text, with nobody's consent."""
    new = keys.load(platform.made("new"))
    old = private(platform, "donor").public_key.keyid
    changed(platform, "rotate", "donor", new, "s", "donor", "new", replaces=old, holder=holder)
    assert set(wrong(platform)) == {"key-rotated-alone"}
    with pytest.raises(CorruptedError, match="without both the old key"):
        sequencer.keyring(platform.catalog)


def test_an_approval_in_the_name_of_another_donor(platform: Platform):
    """The gate's decision names the member whose donation it judged: nobody else approves it."""
    path = platform.evidence / "attestations/approval/donation" / DONATIONS[0] / "000001.json"
    content = statement(path)
    for number, says in ((2, {"donor": OTHER}), (3, {"donation": DONATIONS[1]})):
        other = content | {"predicate": content["predicate"] | says}
        later = path.with_name(f"{number:06d}.json")
        sign_anew(later, other, private(platform, "consortium"), private(platform, "donor"))
        entered(platform, later, "approval/donation", DONATIONS[0], other)
    faults = [one for one in verify(platform.catalog).faults if one.code == "attestation-differs"]
    assert {one.place[-11:] for one in faults} == {"000002.json", "000003.json"}


def test_the_rules_of_the_platform_and_of_the_verifier_know_the_same_roles():
    from dsk_assets.evidence.verify import trust

    assert (trust.SIGNER, trust.CONSORTIUM, trust.DONOR) == (
        keys.STATEMENTS, keys.CONSORTIUM, keys.DONOR,
    )  # fmt: skip


def test_the_rules_and_the_platform_file_the_same_types_under_the_same_names():
    assert policy()["types"] == predicates.GROUPS
