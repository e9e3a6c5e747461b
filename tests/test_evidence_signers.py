"""Verification and those who sign: two-of-n, two kinds of keys, witnesses, keys that have ended."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from dsk_assets.cli.main import main
from dsk_assets.errors import CorruptedError
from dsk_assets.evidence import attestations, keys, log, sequencer
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.verify.lake import verify
from dsk_assets.lake.digests import canonical_json, sha256_bytes
from dsk_assets.settings import load_settings
from tests.evidence_lake import DONATIONS, RELEASE, make, release
from tests.gating import MANIFEST
from tests.tampering import sign_anew, statement
from tests.test_envelope import written

WITNESS = "vidne.medlem.example"
DONOR = MANIFEST["donor"]["cvr"]


@dataclass
class Platform:
    """A platform with keys of its own: statements signed by ECDSA P-256, the log by Ed25519."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        statements = written(ec.generate_private_key(ec.SECP256R1()), self.folder / "s.pem")
        logged = written(ed25519.Ed25519PrivateKey.generate(), self.folder / "l.pem")
        self.environment = {
            "DSK_HOME": str(self.folder / "dsk"), "DSK_LAKE": "", "DSK_WORKERS": "1",
            "DSK_SIGNING_KEY": str(statements), "DSK_LOG_KEY": str(logged),
        }  # fmt: skip

    @property
    def catalog(self) -> Catalog:
        settings = load_settings(
            home=self.folder / "dsk", lake="", workers=1, log_key=self.environment["DSK_LOG_KEY"],
            signing_key=self.environment["DSK_SIGNING_KEY"],
        )  # fmt: skip
        return Catalog(settings, run_id="dsk")

    @property
    def evidence(self) -> Path:
        return self.folder / "dsk" / "lake" / "evidence"

    def dsk(self, *arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["evidence", *arguments], env=self.environment)
        assert result.exit_code == code, result.output
        return result

    def made(self, name: str) -> Path:
        """A member's private key; its public part lies beside it with the suffix ``.pub``."""
        private = ed25519.Ed25519PrivateKey.generate()
        path = written(private, self.folder / f"{name}.pem")
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = private.public_key().public_bytes(serialization.Encoding.PEM, form)
        path.with_suffix(".pub").write_bytes(public)
        return path

    def member(self, role: str) -> Path:
        """The private key of a member, whose public part the log knows."""
        path = self.made(role)
        public = str(path.with_suffix(".pub"))
        self.dsk("keys", "add", public, "--role", role, "--holder", DONOR)
        return path

    def found(self, *options: str, code: int) -> set[str]:
        """What verification by the command names; *code* is the exit code that it must have."""
        said = json.loads(self.dsk("verify", "--json", *options, code=code).stdout)
        assert said["exitCode"] == code
        return {fault["code"] for fault in said["faults"]}


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A release whose approvals and release both have signed."""
    platform = Platform(tmp_path_factory.mktemp("platform"))
    release(platform.catalog)
    platform.dsk("append")
    assert platform.found(code=2) == {"signature-missing", "no-witness"}
    consortium, donor = platform.member("consortium"), platform.member("donor")
    for donation in DONATIONS:
        for key in (consortium, donor):
            platform.dsk("sign", "approval/donation", donation, "--key", str(key))
    assert platform.found(code=2) == {"signature-missing", "no-witness"}
    platform.dsk("sign", "release/corpus", RELEASE, "--key", str(consortium))
    return platform


@pytest.fixture
def platform(signed: Platform, tmp_path: Path) -> Platform:
    copied = tmp_path / "platform"
    shutil.copytree(signed.folder, copied)
    same = Platform.__new__(Platform)
    same.folder, same.environment = copied, dict(signed.environment)
    same.environment |= {
        "DSK_HOME": str(copied / "dsk"), "DSK_SIGNING_KEY": str(copied / "s.pem"),
        "DSK_LOG_KEY": str(copied / "l.pem"),
    }  # fmt: skip
    return same


def cosigned(platform: Platform) -> Path:
    """The newest checkpoint, cosigned by a witness; its key is made known at first."""
    vkey = log.Log(platform.catalog.settings, platform.catalog.lake).key().vkey
    own = ("--name", WITNESS, "--key", str(platform.folder / "w.pem"), "--state",
           str(platform.folder / "w.json"), "--log-key", vkey)  # fmt: skip
    request, note = platform.folder / "request", platform.folder / "note"
    state = platform.folder / "w.json"
    if not state.exists():
        platform.dsk("request", "--out", str(request))
        said = platform.dsk("witness", str(request), *own, "--out", str(note)).stderr
        witness = said.split("cosigned as ")[1].strip()
        platform.dsk("keys", "add", witness, "--role", "witness", "--holder", "12345678")
    old = str(json.loads(state.read_text())["size"])
    platform.dsk("request", "--old", old, "--out", str(request))
    platform.dsk("witness", str(request), *own, "--out", str(note))
    platform.dsk("cosignature", str(note))
    return note


def test_exit_codes_0_1_and_2_with_a_witness(platform: Platform):
    assert platform.found(code=1) == {"no-witness"}
    note = cosigned(platform)
    assert platform.found(code=0) == set()
    assert platform.found("--new", code=0) == set()
    assert platform.found("--earlier", str(note), code=0) == set()
    root = keys.load(platform.folder / "s.pem").public_key.keyid
    assert platform.found("--trust", root, code=0) == set()
    assert "root-differs" in platform.found("--trust", "0" * 64, code=2)
    make(platform.catalog, "study/later")
    platform.dsk("append")
    assert platform.found(code=1) == {"witness-behind"}
    (platform.evidence / "log/witness" / WITNESS).unlink()
    assert platform.found(code=1) == {"no-witness", "witness-silent"}
    path = platform.evidence / "statements/corpus/release" / RELEASE / "000001.json"
    path.write_bytes(path.read_bytes()[:-3])
    assert "statement-unreadable" in platform.found(code=2)
    assert "statement-unreadable" in platform.found("--new", code=2)


def test_a_history_written_anew_is_a_fork_to_whom_has_kept_a_checkpoint(platform: Platform):
    """By somebody with all keys but the witness's, who hides the cosigned checkpoint."""
    note = cosigned(platform)
    for folder in (platform.evidence / "log", platform.folder / "dsk/log"):
        shutil.rmtree(folder)
    shutil.rmtree(platform.folder / "dsk/cache")
    shutil.rmtree(platform.evidence / "statements/training")
    shutil.rmtree(platform.evidence / "statements/gate/checkpoint")
    shutil.rmtree(platform.evidence / "attestations/test-result/checkpoint")
    for number in range(9):
        make(platform.catalog, f"study/other{number}")
    platform.dsk("append")
    left_behind = {"file-unnamed"}
    assert platform.found(code=1) == {"no-witness", "witness-silent"} | left_behind
    assert "log-forked" in platform.found("--earlier", str(note), code=2)
    garbage = platform.folder / "garbage"
    garbage.write_bytes(b"\xff")
    assert "log-unsigned" in platform.found("--earlier", str(garbage), code=2)


def test_rotated_keys_sign_on_and_old_ones_no_more(platform: Platform):
    new = {}
    for role, variable in (("statements", "DSK_SIGNING_KEY"), ("log", "DSK_LOG_KEY")):
        new[role] = written(ed25519.Ed25519PrivateKey.generate(), platform.folder / f"{role}2.pem")
        platform.dsk("keys", "rotate", role, "--to", str(new[role]))
        platform.environment[variable] = str(new[role])
    make(platform.catalog, "study/later")
    platform.dsk("append")
    assert platform.found(code=1) == {"no-witness"}
    make(platform.catalog, "study/old")
    path = platform.evidence / "statements/study/old/_/000001.json"
    content = statement(path)
    sign_anew(path, content, keys.load(platform.folder / "s.pem"))
    entered(platform, path, "study/old", None, content)
    assert "signature-by-unknown-key" in platform.found(code=2)


def entered(platform: Platform, path: Path, asset: str, partition: str | None, content) -> None:
    """Enter a statement in the log without asking who signed it."""
    entry = {
        "asset": asset, "partition": partition, "number": int(path.stem),
        "predicateType": content["predicateType"], "envelope": sha256_bytes(path.read_bytes()),
        "statement": sha256_bytes(canonical_json(content)),
    }  # fmt: skip
    log.Log(platform.catalog.settings, platform.catalog.lake).append([canonical_json(entry)])


def test_what_a_revoked_key_signs_afterwards_does_not_count(platform: Platform):
    donor = keys.load(platform.folder / "donor.pem")
    path = platform.evidence / "attestations/approval/donation" / DONATIONS[0] / "000001.json"
    platform.dsk("keys", "revoke", donor.public_key.keyid, "--reason", "left")
    assert platform.found(code=1) == {"no-witness"}
    content = statement(path)
    content["predicate"]["validUntil"] = "2090-01-01"
    later = path.with_name("000002.json")
    sign_anew(later, content, donor, keys.load(platform.folder / "consortium.pem"))
    entered(platform, later, "approval/donation", DONATIONS[0], content)
    assert "signature-by-unknown-key" in platform.found(code=2)


def test_one_of_two_signatures_is_not_enough_in_the_log(platform: Platform):
    path = platform.evidence / "attestations/release/corpus" / RELEASE / "000001.json"
    content = statement(path)
    content["predicate"]["packageId"] = "corpus/other"
    later = path.with_name("000002.json")
    sign_anew(later, content, keys.load(platform.folder / "s.pem"))
    entered(platform, later, "release/corpus", RELEASE, content)
    assert "signature-missing" in platform.found(code=2)


def test_a_cosignature_changed_is_named(platform: Platform):
    cosigned(platform)
    path = platform.evidence / "log/witness" / WITNESS
    lines = path.read_text("utf-8").split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith(f"— {WITNESS}"))
    letter = lines[at][-9]
    lines[at] = lines[at][:-9] + ("B" if letter == "A" else "A") + lines[at][-8:]
    path.write_text("\n".join(lines), "utf-8")
    assert "witness-wrong" in platform.found(code=2)


def test_the_records_of_a_release_wait_for_its_second_signature(tmp_path: Path):
    from dsk_assets.errors import NotAdmittedError
    from dsk_assets.gates.registry import GATES
    from dsk_assets.records.verification import require_verified, verification

    platform = Platform(tmp_path)
    catalog = platform.catalog
    made = release(catalog)
    sequencer.append_new(catalog)
    verification(catalog, RELEASE, [made])
    GATES["evidence"].judge(catalog, RELEASE)
    with pytest.raises(NotAdmittedError, match="gate evidence refused"):
        require_verified(catalog, RELEASE, [made])
    consortium, donor = platform.member("consortium"), platform.member("donor")
    for donation in DONATIONS:
        for key in (consortium, donor):
            platform.dsk("sign", "approval/donation", donation, "--key", str(key))
    platform.dsk("sign", "release/corpus", RELEASE, "--key", str(consortium))
    ring, size = sequencer.keyring(catalog)
    assert not list(attestations.pending(catalog.lake, ring, size))
    assert verify(catalog).exit_code == 1
    verification(catalog, RELEASE, [made])
    GATES["evidence"].judge(catalog, RELEASE)
    assert require_verified(catalog, RELEASE, [made])


@pytest.mark.parametrize(
    ("asset", "partition"), [("approval/donation", DONATIONS[0]), ("release/corpus", RELEASE)]
)
def test_what_two_must_sign_is_not_filed_as_what_one_signs(
    platform: Platform, asset: str, partition: str
):
    """Who must sign follows from the type: the platform's key alone signs a policy, say."""
    path = platform.evidence / "attestations" / asset / partition / "000001.json"
    policy = platform.evidence / "attestations/policy/evidence/_/000001.json"
    kind = {name: statement(policy)[name] for name in ("predicateType", "predicate")}
    content = statement(path) | kind
    later = path.with_name("000002.json")
    sign_anew(later, content, keys.load(platform.folder / "s.pem"))
    with pytest.raises(CorruptedError, match="not a readable statement of its place"):
        sequencer.append_new(platform.catalog)
    entered(platform, later, asset, partition, content)
    (fault,) = [one for one in verify(platform.catalog).faults if not one.is_limit]
    assert (fault.code, fault.detail) == ("statement-inconsistent", kind["predicateType"])
    assert fault.affects
