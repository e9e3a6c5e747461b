"""What the tests of corpus and training share: a consortium, and donations ready for a corpus."""

from collections.abc import Collection, Generator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from dsk_assets.corpus.release import release
from dsk_assets.corpus.shards import shards
from dsk_assets.corpus.tokenizer import tokenizer
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.filters.lines import CUT
from dsk_assets.gates.admitted import SCREENING, admitted
from dsk_assets.lake.store import Zone
from dsk_assets.settings import Settings, load_settings
from dsk_assets.training import payload
from dsk_assets.training.job import Job
from tests.support import admit, documents, seed

CORPUS: dict[str, Any] = {
    "release": "test",
    "tokenizer": {"name": "test", "version": "1", "vocab_size": 600, "sample_characters": 20000},
    "shards": {"target_tokens": 400},
}
TRAINING: dict[str, Any] = {
    "name": "test",
    "seed": 7,
    "steps": 12,
    "batch_size": 4,
    "sequence_length": 32,
    "checkpoint_every": 4,
    "learning_rate": 0.01,
    "warmup_steps": 2,
    "model": {"hidden_size": 16, "layers": 1, "heads": 2, "feed_forward": 32},
}

SENTENCE = "det var en mørk og stormfuld aften på Ærø hvor bølgerne slog mod kysten"


def consortium(folder: Path) -> Path:
    """A consortium's folder with the settings above and a default policy."""
    (folder / "policies").mkdir(parents=True)
    write(folder / "policies" / "default.yaml", {"name": "default", "version": "1"})
    write(folder / "corpus.yaml", CORPUS)
    write(folder / "training.yaml", TRAINING)
    return folder


def write(path: Path, value: Mapping[str, Any]) -> None:
    """Write *value* as YAML."""
    path.write_text(yaml.safe_dump(dict(value), allow_unicode=True), "utf-8")


def open_catalog(folder: Path) -> Catalog:
    """A catalog over a lake in *folder*, with a consortium of its own."""
    return Catalog(settings_in(folder), run_id="test")


def settings_in(folder: Path) -> Settings:
    """Settings for a lake and a consortium in *folder*."""
    own = folder / "consortium"
    if not own.exists():
        consortium(own)
    return load_settings(home=folder / "dsk", consortium=own, workers=1)


def texts(name: str, number: int, words: int = 40) -> dict[str, str]:
    """*number* invented documents by ``doc_id``; the same name gives the same documents."""
    vocabulary = SENTENCE.split()
    made = {}
    for place in range(number):
        chosen = [
            vocabulary[(place * 7 + n * (3 + len(name))) % len(vocabulary)] for n in range(words)
        ]
        made[f"{name}{place:0{32 - len(name)}d}"] = " ".join([*chosen, f"{place}.\n"])
    return made


def donate(
    catalog: Catalog,
    donation: str,
    contents: Mapping[str, str],
    *,
    dropped: Collection[str] = (),
    cut: Collection[str] = (),
) -> None:
    """A donation that passed the screening and whose documents were decided on.

    Of those in *cut* the first ten characters are cut out.
    """
    donation_id = donation.partition("@")[0]
    table = documents(contents, donation_id).drop_columns(["file_id"])
    decided = pa.table(
        {
            "doc_id": pa.array(reversed(list(contents)), pa.string()),
            "donation_id": pa.array([donation_id] * len(contents), pa.string()),
            "kept": pa.array([one not in dropped for one in reversed(list(contents))], pa.bool_()),
        }
    )
    zones = {"donations": Zone.RESTRICTED, "filtering": Zone.CURATED}
    for gate, asset in SCREENING:
        judged = seed(
            catalog,
            asset,
            donation,
            zone=zones[asset.partition("/")[0]],
            tables={"document": table} if asset == "filtering/personal_data" else None,
            files={"manifest.json": {}} if asset == "donations/landing" else None,
        )
        admit(catalog, gate, judged)
    admitted(catalog, donation)
    rows = [{"doc_id": one, "start": 0, "end": 10, "survivor_id": ""} for one in sorted(cut)]
    cuts = pa.Table.from_pylist(rows, CUT)
    seed(catalog, "filtering/decisions", donation, tables={"decision": decided, "cut": cuts})


def tokenise(catalog: Catalog, *donations: str) -> None:
    """The tokenizer, and of each donation shards that gate ``spans`` admits."""
    tokenizer(catalog)
    for donation in donations:
        admit(catalog, "spans", shards(catalog, donation))


def released(catalog: Catalog) -> Snapshot:
    """A release that gate ``composition`` admits."""
    made = release(catalog)
    admit(catalog, "composition", made)
    return made


def in_process(job: Job) -> Generator[int, None, None]:
    """A launcher that runs the payload within the test's process, which has PyTorch loaded."""
    payload.run(job.folder, payload.Where("DK"))
    yield from job.targets
