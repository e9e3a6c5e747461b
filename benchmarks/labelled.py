"""A labelled corpus of any size, made from the texts in examples/ and tests/data.

    python benchmarks/labelled.py FOLDER MEGABYTES [SEED]

Writes FOLDER/corpus-NNNN.jsonl (``id``, ``text``) and FOLDER/gold.jsonl: for each document its
``kind`` (plain, dup, other, junk) and ``lang``, and of a near-duplicate which document it was made
from, by which edit, and the Jaccard similarity of their sequences of five words. The same
arguments give the same bytes. Shares of documents: 12 % duplicates, 8 % other languages, 4 % junk.
"""

import gzip
import json
import random
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PROSE = ("arkiv-litteratur", "bibliotek-prosa", "museum-laesestykker", "forlag-nyheder")
RULES = ("ministerium-love", "styrelse-regler", "styrelse-vejledning")
SHARES = {"dup": 0.12, "other": 0.08, "junk": 0.04, "plain": 0.76}
FILE_BYTES = 8_000_000
REACH = 20_000
"""How far back, in documents, a duplicate's original may lie."""

Edit = Callable[[str, random.Random, list[str]], str]


def _words(text: str, share: float, rng: random.Random, new: Callable[[str], str]) -> str:
    return re.sub(r"\w+", lambda word: new(word[0]) if rng.random() < share else word[0], text)


def _drop(text: str, rng: random.Random, vocabulary: list[str], *, share: float) -> str:
    return _words(text, share, rng, lambda _: "")


def _substitute(text: str, rng: random.Random, vocabulary: list[str], *, share: float) -> str:
    return _words(text, share, rng, lambda _: rng.choice(vocabulary))


def _boilerplate(text: str, rng: random.Random, vocabulary: list[str]) -> str:
    top = rng.choice(
        ["Spring til hovedindhold\nForside > Nyheder\n\n", "KOPI\n\n", "Side 1 af 4\n\n"]
    )
    end = rng.choice(["\n\nDel på Facebook | Udskriv | Tip en ven", "\n\nSidst opdateret i går."])
    return top + text + end


def _truncate(text: str, rng: random.Random, vocabulary: list[str]) -> str:
    return text[: int(len(text) * rng.uniform(0.75, 0.98))].rsplit(" ", 1)[0]


def _insert(text: str, rng: random.Random, vocabulary: list[str]) -> str:
    count = int(text.count(" ") * rng.uniform(0.02, 0.2))
    place = text.find(" ", len(text) // 2)
    return f"{text[:place]} {' '.join(rng.choices(vocabulary, k=count))}.{text[place:]}"


EDITS: dict[str, Edit] = {
    "exact": lambda text, rng, vocabulary: text,
    "whitespace": lambda text, rng, vocabulary: re.sub(
        " ", lambda _: rng.choice([" ", "  ", "\n"]) if rng.random() < 0.2 else " ", text
    ),
    "case": lambda text, rng, vocabulary: text.upper(),
    "boilerplate": _boilerplate,
    "truncate": _truncate,
    "insert": _insert,
    **{f"drop{s:03}": partial(_drop, share=s / 1000) for s in (5, 10, 20, 40)},
    **{f"substitute{s:03}": partial(_substitute, share=s / 1000) for s in (5, 10, 20, 40, 100)},
}


def shingles(text: str) -> set[tuple[str, ...]]:
    """The sequences of five words of *text*."""
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))}


def sentences() -> dict[str, list[list[str]]]:
    """Sentences by language; those of Danish by register."""
    from dsk_assets.consortium.policy import NormalisationPolicy
    from dsk_assets.filters.detection import detect
    from dsk_assets.intake.reading import Reading
    from dsk_assets.intake.sources import Source

    pools: dict[str, list[list[str]]] = {}
    for register in (PROSE, RULES):
        found: list[str] = []
        for donation in register:
            folder = ROOT / "examples" / "consortium" / "donations" / donation / "files"
            for path in sorted(folder.iterdir()):
                reading = Reading(donation, NormalisationPolicy())
                for document in reading.read(Source.of_file(path, path.name), path.name):
                    if detect(document.text[:2000])[0] == "da":
                        found += _split(document.text)
        pools.setdefault("da", []).append(list(dict.fromkeys(found)))
    for line in gzip.decompress(
        (ROOT / "tests/data/paragraphs.jsonl.gz").read_bytes()
    ).splitlines():
        row = json.loads(line)
        if row["lang"] != "da":
            pools.setdefault(row["lang"], [[]])[0].extend(_split(row["text"]))
    return pools


def _split(text: str) -> list[str]:
    found = re.split(r"(?<=[.!?])\s+", re.sub(r"\s+", " ", text))
    return [one for one in found if 40 <= len(one) <= 400 and one[-1] in ".!?"]


def _compose(pool: list[str], rng: random.Random) -> str:
    chosen = rng.sample(pool, min(len(pool), rng.randint(6, 40)))
    lines = []
    while chosen:
        count = rng.randint(2, 6)
        lines.append(" ".join(chosen[:count]))
        chosen = chosen[count:]
    return "\n".join(lines)


def _junk(rng: random.Random, vocabulary: list[str]) -> tuple[str, str]:
    kind = rng.choice(["menu", "repeat", "gibberish", "code", "short", "table"])
    words = partial(rng.choices, vocabulary)
    if kind == "menu":
        return kind, "\n".join(" ".join(words(k=2)).title() for _ in range(rng.randint(12, 60)))
    if kind == "repeat":
        return kind, "\n".join([f"{' '.join(words(k=8)).capitalize()}."] * rng.randint(8, 60))
    if kind == "gibberish":
        letters = partial(rng.choices, "bcdfghjklmnpqrstvwxzæøåaeiouy0123456789#%&")
        return kind, " ".join("".join(letters(k=rng.randint(3, 14))) for _ in range(100))
    if kind == "code":
        return kind, "\n".join(
            f"if ({a}_{i} == 7) {{ return {a}[{i}]; }}" for i, a in enumerate(words(k=30))
        )
    if kind == "short":
        return kind, " ".join(words(k=rng.randint(1, 8)))
    return kind, "\n".join(
        ";".join(str(rng.randint(0, 99999)) for _ in range(8)) for _ in range(40)
    )


def documents(size: int, seed: int) -> Iterator[tuple[str, dict[str, object]]]:
    """Texts with their labels, until they have *size* bytes together."""
    pools = sentences()
    danish, others = pools.pop("da"), sorted(pools.items())
    vocabulary = sorted(
        {w for pool in danish for s in pool for w in re.findall(r"[^\W\d_]{3,}", s)}
    )
    originals: list[tuple[str, str, str]] = []
    kinds, weights = list(SHARES), list(SHARES.values())
    number = 0
    while size > 0:
        rng = random.Random(f"{seed}:{number}")
        kind = rng.choices(kinds, weights)[0]
        name = f"d{number:09}"
        labels: dict[str, object] = {"id": name, "kind": kind, "lang": "da"}
        if kind == "dup" and originals:
            other, text, labels["lang"] = rng.choice(originals)
            edit = rng.choice(list(EDITS))
            grams = shingles(text)
            text = EDITS[edit](text, rng, vocabulary)
            made = shingles(text)
            jaccard = round(len(grams & made) / len(grams | made), 4)
            labels |= {"duplicate_of": other, "edit": edit, "jaccard": jaccard}
        elif kind == "junk":
            labels["junk"], text = _junk(rng, vocabulary)
        elif kind == "other":
            labels["lang"], pool = rng.choice(others)
            text = _compose(pool[0], rng)
        else:
            labels["kind"] = "plain"
            text = _compose(rng.choice(danish), rng)
            originals.append((name, text, "da"))
            del originals[:-REACH]
        yield text, labels
        number += 1
        size -= len(text.encode())


def write(folder: Path, megabytes: float, seed: int = 1) -> list[Path]:
    """Write a corpus of *megabytes* (of a million bytes of text) to *folder*; returns its files."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    written = FILE_BYTES
    with (folder / "gold.jsonl").open("w", encoding="utf-8") as gold:
        for text, labels in documents(int(megabytes * 1e6), seed):
            if written >= FILE_BYTES:
                files.append(folder / f"corpus-{len(files):04}.jsonl")
                files[-1].write_bytes(b"")
                written = 0
            line = json.dumps({"id": labels["id"], "text": text}, ensure_ascii=False) + "\n"
            with files[-1].open("a", encoding="utf-8") as corpus:
                corpus.write(line)
            written += len(line.encode())
            gold.write(json.dumps(labels, ensure_ascii=False) + "\n")
    return files


if __name__ == "__main__":
    write(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
