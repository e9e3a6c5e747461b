"""The benchmark's corpus: the same for the same arguments, with labels that are true."""

import json
from pathlib import Path

import pytest

from benchmarks.labelled import EDITS, shingles, write


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write(folder, 0.5)
    return folder


def read(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_same_arguments_give_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    write(tmp_path, 0.5)
    for path in corpus.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_labels_of_duplicates_are_true(corpus: Path) -> None:
    texts = {row["id"]: row["text"] for row in read(corpus / "corpus-0000.jsonl")}
    gold = read(corpus / "gold.jsonl")
    assert [row["id"] for row in gold] == list(texts)
    assert sum(len(text.encode()) for text in texts.values()) >= 500_000
    duplicates = [row for row in gold if row["kind"] == "dup"]
    assert 0.06 < len(duplicates) / len(gold) < 0.18
    for row in duplicates:
        one, other = (shingles(texts[row[name]]) for name in ("id", "duplicate_of"))
        assert row["jaccard"] == pytest.approx(len(one & other) / len(one | other), abs=1e-4)
        assert row["edit"] in EDITS
        if row["edit"] in ("exact", "case", "whitespace"):
            assert row["jaccard"] == 1
