"""Documents that stand alone are told from those that may have a duplicate."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dsk_assets.filters import recurring
from dsk_assets.filters.signatures import BANDS, SCHEMA
from dsk_assets.lake.tables import write_parquet


def part(path: Path, rows: list[tuple[int, list[int] | None]]) -> Path:
    """A part of table ``signature``: digest and bands of each document."""
    table = pa.Table.from_pylist(
        [
            {
                "doc_id": f"{path.stem}-{number}",
                "donation_id": "",
                "text_sha256": f"{digest:016x}" + "0" * 48,
                "n_char": 1,
                "bands": None if bands is None else np.array(bands, "<u8").tobytes(),
                "shingles": b"",
            }
            for number, (digest, bands) in enumerate(rows)
        ],
        schema=SCHEMA,
    )
    write_parquet(path, [table], SCHEMA)
    return path


@pytest.mark.parametrize("at_once", [10, 1_000, 16_000_000])
def test_a_row_recurs_when_it_shares_a_digest_or_a_band(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
):
    monkeypatch.setattr(recurring, "AT_ONCE", at_once)
    numbers = np.random.default_rng(3)
    rows = [
        (
            int(numbers.integers(1, 400)),
            None if number % 9 == 0 else numbers.integers(1000, 60_000, BANDS).tolist(),
        )
        for number in range(300)
    ]
    seen = Counter(value for digest, bands in rows for value in {digest, *(bands or [])})
    repeated = Counter(value for _, bands in rows for value in bands or [])
    expected = [
        seen[digest] > 1 or any(repeated[value] > 1 for value in bands or [])
        for digest, bands in rows
    ]
    paths = [part(tmp_path / "a.parquet", rows[:120]), part(tmp_path / "b.parquet", rows[120:])]
    first, second = recurring.recurring(paths)
    assert [*first, *second] == expected
    assert any(expected)
    assert not all(expected)


def test_of_no_documents_none_recurs(tmp_path: Path):
    (found,) = recurring.recurring([part(tmp_path / "a.parquet", [])])
    assert len(found) == 0
    assert recurring.recurring([]) == []
