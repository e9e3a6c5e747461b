"""`dsk release`: a folder that transformers loads, the hub takes, and anybody can verify."""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner

from dsk_assets.cli.main import main
from dsk_assets.errors import (
    MissingInputError,
    NotAdmittedError,
    RecordError,
    SettingsError,
    StorageError,
)
from dsk_assets.evidence.verify.lake import verify as verify_lake
from dsk_assets.evidence.withdrawals import withdraw
from dsk_assets.gates.admitted import require_admitted
from dsk_assets.lake.digests import canonical_json, sha256_file
from dsk_assets.records import bundle, model_signature, notices
from dsk_assets.training import outside
from tests.corpora import write
from tests.night import PERSONAL, Night, small_consortium

KEY = "demo-1.0.0.step-000012"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A night over one donation."""
    from dsk_assets.defs.local import run_nightly

    folder = tmp_path_factory.mktemp("release")
    night = Night(folder / "home", small_consortium(folder / "own", ("kommune-sager",)))
    with night.instance() as instance:
        assert run_nightly(instance).success
    return night


@pytest.fixture(scope="module")
def released(night: Night, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("released") / "model"
    bundle.release(night.catalog(), KEY, Path(os.path.relpath(out)))
    return out


@pytest.fixture
def folder(released: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(released, tmp_path / "model"))


@pytest.fixture
def other(night: Night, tmp_path: Path) -> Night:
    """A copy of the night's home, to be changed."""
    home = Path(shutil.copytree(night.home, tmp_path / "home"))
    return Night(home, Path(shutil.copytree(night.consortium, tmp_path / "own")))


def test_transformers_loads_the_folder(released: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(released)
    tokenizer = AutoTokenizer.from_pretrained(released)
    tokens = tokenizer("Rødgrød på Ærø", return_tensors="pt")
    assert tokenizer.decode(tokens["input_ids"][0]) == "Rødgrød på Ærø"
    assert model(input_ids=tokens["input_ids"]).logits.shape[-1] == len(tokenizer)


def test_the_hub_can_take_it(released: Path) -> None:
    from huggingface_hub import CommitOperationAdd, ModelCard

    card = ModelCard.load(released / "README.md")
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "transformers"
    names = {path.relative_to(released).as_posix() for path in released.rglob("*")}
    files = [name for name in names if (released / name).is_file()]
    operations = [CommitOperationAdd(name, released / name) for name in files]
    assert {one.path_in_repo for one in operations} >= {
        "README.md", "config.json", "model.safetensors", "tokenizer.json", "evidence.zip",
        "release.json", "release.intoto.json", "LICENSE", "NOTICE",
        "records/public_summary/public-summary.en.html",
    }  # fmt: skip
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl"))]
    for one in operations:
        assert one.upload_info.sha256.hex() == sha256_file(released / one.path_in_repo)


def test_terms_and_origin_go_with_it(released: Path, other: Night, tmp_path: Path) -> None:
    assert "Apache License" in (released / "LICENSE").read_text()
    notice = (released / "NOTICE").read_text()
    assert "licensed under Apache-2.0" in notice
    assert "release 1.0.0" in notice
    path = other.consortium / "provider.yaml"
    path.write_text(path.read_text().replace("licence: Apache-2.0", "licence: MIT"))
    refused(other, tmp_path, RecordError, "the text of MIT.*put it into .*LICENSE")


def test_a_base_models_notices_go_with_it(night: Night, tmp_path: Path) -> None:
    consortium = Path(shutil.copytree(night.consortium, tmp_path / "own"))
    catalog = Night(night.home, consortium).catalog()
    base = tmp_path / "own" / "base"
    base.mkdir()
    for name, text in {
        "NOTICE.txt": "By others.",
        "model.safetensors": "",
        "config.json": "",
    }.items():
        (base / name).write_text(text)
    training = yaml.safe_load((consortium / "training.yaml").read_text())
    training.pop("model")
    chosen = {"name": "base", "licence": "MIT", "training_data_known": "no", "folder": "base"}
    write(consortium / "training.yaml", training | {"base_model": chosen})
    described = {
        "name": "base", "revision": None,
        "files": [{"name": "NOTICE.txt", "sha256": sha256_file(base / "NOTICE.txt")}],
    }  # fmt: skip
    licences = {"weights": "Apache-2.0", "code": "Apache-2.0", "baseModel": "MIT"}
    content = {"baseModel": described, "release": "1.0.0"}
    made = notices.texts(catalog, content, licences)
    assert made["base_model/NOTICE.txt"] == b"By others."
    assert b"base, licensed under MIT; its notices: base_model/NOTICE.txt" in made["NOTICE"]
    (base / "NOTICE.txt").write_text("changed")
    with pytest.raises(MissingInputError, match=r"NOTICE\.txt of base model base"):
        notices.texts(catalog, content, licences)


def test_the_models_key_is_kept_like_the_others(
    night: Night, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = night.catalog().settings
    made = model_signature.private_key(settings.model_copy(update={"home": tmp_path}))
    assert "made a development key for models" in caplog.text
    assert made.stat().st_mode & 0o777 == 0o600
    given = settings.model_copy(update={"model_key": made})
    assert model_signature.private_key(given) == made
    made.chmod(0o644)
    with pytest.raises(SettingsError, match="DSK_MODEL_KEY: the key is open to everybody"):
        model_signature.private_key(given)


def test_a_person_can_release_it_in_dagster(other: Night) -> None:
    from dsk_assets.definitions import defs
    from dsk_assets.defs.transparency.assets import MODEL_RELEASE

    with other.instance() as instance:
        made = dg.materialize(
            [MODEL_RELEASE.as_asset()], partition_key=KEY, instance=instance,
            resources=dict(defs.resources or {}),
        )  # fmt: skip
        assert made.success
        assert instance.get_materialized_partitions(MODEL_RELEASE.asset_key) == {KEY}


def test_it_verifies_alone_and_with_the_tools_of_others(released: Path) -> None:
    found = bundle.verify(released)
    assert found.wrong == []
    assert any("witness" in limit for limit in found.limits)
    assert model_signature.problem(released) is None
    with zipfile.ZipFile(released / "evidence.zip") as archive:
        assert "verify.py" in archive.namelist()
    content = json.loads((released / "release.json").read_text())
    assert content["licences"] == {"weights": "Apache-2.0", "code": "Apache-2.0", "baseModel": None}


def test_the_same_release_is_the_same_bytes_and_leaves_the_lake_whole(
    night: Night, released: Path, tmp_path: Path
) -> None:
    names = bundle.release(night.catalog(), KEY, tmp_path / "again")
    for name in names:
        if name != model_signature.SIGNATURE:
            assert sha256_file(released / name) == sha256_file(tmp_path / "again" / name), name
    assert not [one.text() for one in verify_lake(night.catalog()).faults if not one.is_limit]


def change(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes() + b" ")


def test_a_changed_file_is_named_without_bytes(settings, tmp_path: Path) -> None:
    folder = tmp_path / "signed"
    folder.mkdir()
    for name in ("a.json", "b.json"):
        (folder / name).write_text("{}")
    key = model_signature.private_key(settings.model_copy(update={"home": tmp_path / "home"}))
    (folder / model_signature.PUBLIC_KEY).write_bytes(model_signature.public_key(key))
    model_signature.sign(folder, key)
    assert model_signature.problem(folder) is None
    change("a.json")(folder)
    assert model_signature.problem(folder) == "model.sig: signed with other bytes in a.json"


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (change("model.safetensors"), "model.safetensors: other bytes"),
        (change("README.md"), "README.md: other bytes"),
        (change("evidence.zip"), "evidence.zip: other bytes"),
        (lambda folder: (folder / "config.json").unlink(), "config.json: missing"),
        (lambda folder: (folder / "run.py").write_text("x"), "run.py: not part of the release"),
        (lambda folder: (folder / "more").symlink_to("/usr"), "more: not part of the release"),
        (lambda folder: (folder / "model.sig").unlink(), "model.sig: "),
    ],
)
def test_tampering_is_found(folder: Path, tamper: Callable[[Path], object], named: str) -> None:
    tamper(folder)
    assert any(wrong.startswith(named) for wrong in bundle.verify(folder).wrong)
    result = CliRunner().invoke(main, ["release", "--verify", str(folder)])
    assert result.exit_code == 2
    assert named in result.output


def test_a_statement_that_others_signed_is_found(folder: Path, other: Night) -> None:
    """A whole release by other keys does not pass for this one once the first key is known."""
    from dsk_assets.evidence.verify.standalone import Pack, verify_pack

    mine = verify_pack(Pack.open(folder / "evidence.zip")).root_key
    assert not bundle.verify(folder, mine).wrong
    assert bundle.verify(folder, "0" * 64).wrong
    envelope = json.loads((folder / "release.intoto.json").read_text())
    envelope["signatures"] = envelope["signatures"][:1]
    (folder / "release.intoto.json").write_bytes(canonical_json(envelope))
    assert "not signed by" in bundle.verify(folder).wrong[0]


def test_a_folder_that_is_no_release_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no released model"):
        bundle.verify(tmp_path)


def cut(folder: Path) -> None:
    (folder / "evidence.zip").write_bytes((folder / "evidence.zip").read_bytes()[:-100])


def other_bits(folder: Path) -> None:
    with zipfile.ZipFile(folder / "evidence.zip") as pack:
        place = pack.getinfo("entries.ndjson").header_offset + 100
    data = bytearray((folder / "evidence.zip").read_bytes())
    data[place] ^= 0xFF
    (folder / "evidence.zip").write_bytes(data)


@pytest.mark.parametrize("damage", [cut, other_bits])
def test_a_damaged_pack_never_ends_with_the_code_for_limits(
    folder: Path, damage: Callable[[Path], object]
) -> None:
    damage(folder)
    result = CliRunner().invoke(main, ["release", "--verify", str(folder)])
    assert (result.exit_code, "WRONG" in result.output) == (2, True)


def refused(night: Night, tmp_path: Path, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        bundle.release(night.catalog(), KEY, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".tmp-*"))


def test_principle_1_refuses_a_licence_that_is_not_open(other: Night, tmp_path: Path) -> None:
    path = other.consortium / "provider.yaml"
    path.write_text(path.read_text().replace("licence: Apache-2.0", "licence: CC-BY-NC-4.0"))
    refused(other, tmp_path, NotAdmittedError, "licence of weights is 'CC-BY-NC-4.0'.*principle 1")


def test_a_withdrawn_donation_blocks_the_release(other: Night, tmp_path: Path) -> None:
    catalog = other.catalog()
    withdraw(catalog, "dsk-2026-0005", catalog.settings.date, "test")
    refused(other, tmp_path, NotAdmittedError, "composition refused")


def test_what_is_withdrawn_today_is_not_sent_away_tonight(other: Night, tmp_path: Path) -> None:
    catalog = other.catalog()
    day = catalog.settings.date.isoformat()
    words = ("donations", "withdraw", PERSONAL, "--date", day, "--reason", "test")
    command = other.command(*words)
    assert command.communicate()[0] == f"{PERSONAL} is withdrawn from {day} on\n"
    assert "is withdrawn already" in other.command(*words).communicate()[1]
    with pytest.raises(NotAdmittedError, match="approval refused"):
        require_admitted(catalog, PERSONAL)
    with pytest.raises(NotAdmittedError, match="composition refused"):
        outside.send(catalog, "1.0.0", tmp_path / "job")
    assert not (tmp_path / "job").exists()


def test_evidence_that_does_not_verify_blocks_the_release(other: Night, tmp_path: Path) -> None:
    statement = next((other.home / "lake/evidence/statements/donations/landing").rglob("*.json"))
    statement.write_bytes(statement.read_bytes().replace(b'"sig":"', b'"sig":"AAAA', 1))
    refused(other, tmp_path, NotAdmittedError, "evidence refused")


def test_bad_input_is_named(night: Night, tmp_path: Path) -> None:
    catalog = night.catalog()
    with pytest.raises(MissingInputError, match=f"no checkpoint x — the checkpoints are: .*{KEY}"):
        bundle.release(catalog, "x", tmp_path / "out")
    with pytest.raises(MissingInputError, match="has no card: the records of release"):
        bundle.release(catalog, "demo-1.0.0.step-000006", tmp_path / "out")
    (tmp_path / "mine").write_text("own")
    with pytest.raises(StorageError, match="is not empty — name a new folder"):
        bundle.release(catalog, KEY, tmp_path)
    assert CliRunner().invoke(main, ["release"]).exit_code == 2
