"""What is said of an asset that somebody names and that is not there."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from dsk_assets.cli.main import main
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.gates.missing import explained
from dsk_assets.settings import load_settings
from tests.small_lake import ARCHIVE, CHECKPOINTS, MUNICIPALITY, MUSEUM, small_lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    catalog = Catalog(load_settings(home=tmp_path_factory.mktemp("dsk"), workers=1))
    small_lake(catalog)
    return catalog


SEARCHED = "filtering/personal_data"


@pytest.mark.parametrize(
    ("asset", "partition", "said"),
    [
        (
            SEARCHED,
            MUSEUM,
            f"of {MUSEUM}, which is refused: The approval has expired",
        ),
        (SEARCHED, "dsk-2026-0005", f"names no version — say {MUNICIPALITY}"),
        (SEARCHED, "dsk-2026-9999@1.0.0", f"there are {ARCHIVE}, {MUNICIPALITY}"),
        ("training/run", ARCHIVE, f"no training/run of {ARCHIVE} yet — `dsk nightly` makes it"),
        ("training/checkpoint", "demo-1.0.0", f"there are {', '.join(CHECKPOINTS)}"),
        ("corpus/release", "9.9.9", "no corpus/release 9.9.9 — there is 1.0.0"),
        ("corpus/lexicon", "x", "nor any other yet"),
        ("corpus/lexicon", None, "no corpus/lexicon yet"),
    ],
)
def test_it_says_why_or_what_there_is(
    lake: Catalog, asset: str, partition: str | None, said: str
) -> None:
    assert said in explained(lake, asset, partition)


def test_of_many_the_last_are_named(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "partitions", lambda asset: [f"{n}.0.0" for n in range(20)])
    said = explained(catalog, "corpus/release", "99.0.0")
    assert "12 others and 12.0.0, 13.0.0" in said and said.endswith("19.0.0")


def test_commands_say_it(lake: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSK_HOME", str(lake.settings.home))
    for command in (
        ("corpus", "diff", "9.9.9", "1.0.0"),
        ("corpus", "export", "9.9.9", "--format", "dolma", "--out", str(tmp_path / "new")),
    ):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 1
        assert done.output.startswith("Error: there is no corpus/release 9.9.9 — there is 1.0.0")
