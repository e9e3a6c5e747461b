"""`dsk evidence check-proof`: the proof of one statement, checked without the log."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from dsk_assets.cli.main import main
from dsk_assets.evidence import sequencer
from dsk_assets.evidence.log import Log
from dsk_assets.evidence.notes import NoteKey
from tests.evidence_lake import DONATIONS, Home, donation
from tests.tampering import flip

PLACE = f"corpus/shards/{DONATIONS[0]}/000001.json"


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path | str]:
    """A proof, its statement in its folders and alone, the entry and the log's key; no lake."""
    folder = tmp_path_factory.mktemp("proof")
    home = Home(folder / "home")
    donation(home.catalog(), DONATIONS[0])
    sequencer.append_new(home.catalog())
    kept = folder / "kept" / PLACE
    kept.parent.mkdir(parents=True)
    kept.write_bytes((home.lake / "evidence/statements" / PLACE).read_bytes())
    done = CliRunner().invoke(
        main, ["evidence", "proof", "corpus/shards", DONATIONS[0], "--out", str(folder / "x")],
        env={"DSK_HOME": str(home.path)},
    )  # fmt: skip
    (folder / "entry").write_text(done.stderr)
    (folder / "alone.json").write_bytes(kept.read_bytes())
    vkey = Log(home.settings, home.catalog().lake).key().vkey
    home.path.rename(folder / "gone")
    return {"proof": folder / "x", "statement": kept, "vkey": vkey, "entry": folder / "entry",
            "alone": folder / "alone.json"}  # fmt: skip


def checked(proof: object, statement: object, vkey: object, *more: str) -> tuple[int, str]:
    arguments = ["evidence", "check-proof", str(proof), "--statement", str(statement), "--vkey",
                 str(vkey), *more]  # fmt: skip
    done = CliRunner().invoke(main, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


def test_a_proof_shows_its_statement_without_the_log(given: dict[str, Path | str]):
    for statement, more in (
        (given["statement"], ()), (given["alone"], ("--entry", str(given["entry"]))),
    ):  # fmt: skip
        code, said = checked(given["proof"], statement, given["vkey"], *more)
        assert code == 0, said
        assert f"corpus/shards[{DONATIONS[0]}] 1 is entry " in said
        assert "signed by dsk.local/" in said
    code, said = checked(given["proof"], given["alone"], given["vkey"])
    assert code == 1
    assert "--entry" in said


def test_what_a_proof_does_not_show(given: dict[str, Path | str], tmp_path: Path):
    stranger = NoteKey(str(given["vkey"]).split("+")[0], 1, bytes(32)).vkey
    assert "is not signed by" in checked(given["proof"], given["statement"], stranger)[1]
    assert "is not a key" in checked(given["proof"], given["statement"], "x")[1]
    other = tmp_path / PLACE.replace("shards", "other")
    other.parent.mkdir(parents=True)
    other.write_bytes(Path(given["statement"]).read_bytes())
    code, said = checked(given["proof"], other, given["vkey"])
    assert (code, "does not show" in said) == (1, True)
    flip(other, 40)
    assert checked(given["proof"], other, given["vkey"])[0] == 1
    lines = Path(given["proof"]).read_bytes().split(b"\n")
    for garbage in (b"", b"\xff", b"\n".join([lines[0], b"index 1", *lines[2:]]), lines[0]):
        wrong = tmp_path / "wrong"
        wrong.write_bytes(garbage)
        code, said = checked(wrong, given["statement"], given["vkey"])
        assert (code, "proof" in said) == (1, True)
    flip(other, 40)
    assert "another statement" in checked(
        given["proof"], _longer(Path(given["alone"]), tmp_path), given["vkey"],
        "--entry", str(given["entry"]),
    )[1]  # fmt: skip


def _longer(path: Path, folder: Path) -> Path:
    made = folder / "longer.json"
    made.write_bytes(path.read_bytes() + b" ")
    return made
