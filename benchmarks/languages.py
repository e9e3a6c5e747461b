"""How well languages are told apart: ``python benchmarks/languages.py [FILE]``.

FILE has one JSON object a line (also gzip) with ``text`` and ``lang`` (ISO 639-1); records with
``ambiguous_with`` or several languages (register ``mixed``) are left out. Without it, the labelled
paragraphs in tests/data are read. Prints recall and precision of Danish, what each language was
taken for, and the cost, for all texts and for those of five sentences and more.
"""

import gzip
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dsk_assets.filters.detection import detect_pieces  # noqa: E402

SENTENCES = 5


def main(path: Path) -> None:
    """Measure on *path* and print."""
    data = path.read_bytes()
    lines = (gzip.decompress(data) if path.suffix == ".gz" else data).decode().splitlines()
    rows = [
        row
        for row in map(json.loads, lines)
        if not row.get("ambiguous_with") and row.get("register") != "mixed"
    ]
    long = [row for row in rows if len(re.findall(r"[.!?:;]+(?=\s|$)", row["text"])) >= SENTENCES]
    detect_pieces(pl.Series(["varm op 1 2"]), np.zeros(1, np.int64))
    for name, chosen in (("all texts", rows), (f"{SENTENCES} sentences and more", long)):
        _tell(name, chosen)


def _tell(name: str, rows: list[dict[str, str]]) -> None:
    texts = pl.Series([row["text"] for row in rows])
    began = time.process_time()
    found = detect_pieces(texts, np.arange(len(rows)))["language"].to_list()
    spent = (time.process_time() - began) / texts.str.len_bytes().cast(pl.Int64).sum() * 1e9
    pairs = Counter((row["lang"], seen) for row, seen in zip(rows, found, strict=True))
    danish = sum(count for (true, _), count in pairs.items() if true == "da")
    taken = sum(count for (_, seen), count in pairs.items() if seen == "da")
    print(
        f"\n{name}: {len(rows):,}; Danish recall {pairs['da', 'da'] / danish:.4f}, "
        f"precision {pairs['da', 'da'] / taken:.4f}; {spent:,.0f} CPU s/GB"
    )
    print("\n| language | texts | recall | taken for Danish | most taken for |")
    print("|---|---:|---:|---:|---|")
    for true in sorted({true for true, _ in pairs}):
        total = sum(count for (one, _), count in pairs.items() if one == true)
        wrong = Counter({b: n for (a, b), n in pairs.items() if a == true and b != true})
        others = ", ".join(f"{seen} {count}" for seen, count in wrong.most_common(3)) or "-"
        print(
            f"| {true} | {total:,} | {pairs[true, true] / total:.4f} "
            f"| {pairs[true, 'da'] / total if true != 'da' else 0:.4f} | {others} |"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests/data/paragraphs.jsonl.gz")
