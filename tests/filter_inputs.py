"""Documents for tests of ``dsk filter run``, and the digests of all that a run wrote."""

import io
import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import zstandard

from dsk_assets.lake.digests import sha256_file

SENTENCES = (
    "Kommunen har i dag vedtaget en ny plan for cykelstier langs havnen.",
    "Borgmesteren siger, at mange borgere har skrevet til hende om netop det.",
    "Det er ikke alle, der er glade for forslaget fra udvalget.",
    "Arbejdet begynder efter sommerferien og skal være færdigt, før skolerne åbner.",
    "Imens må bilerne køre ad den gamle landevej, som blev lukket for mange år siden.",
    "Broen over åen var ved at falde sammen efter vinterens storme.",
    "Hun tog sin frakke på og gik ud i regnen uden at sige farvel.",
    "Han havde ventet hele dagen på et brev, der aldrig kom.",
    "De gik gennem skoven, og ingen af dem sagde noget i lang tid.",
    "Om aftenen sad de ved vinduet og så skibene sejle ind i fjorden.",
    "Foreningen holder generalforsamling i marts, og alle medlemmer er velkomne.",
    "Der bliver serveret kaffe og kage, når mødet er slut.",
    "Museet viser i år en udstilling om fiskernes liv ved kysten.",
    "Prisen på mælk er steget igen, og det kan mærkes i mange familier.",
    "Forskerne har fundet spor af en landsby fra jernalderen under marken.",
    "Eleverne har selv skrevet stykket, som de opfører på fredag.",
    "Toget var forsinket, fordi der lå et træ over skinnerne.",
    "Lægen rådede ham til at gå en tur hver dag og sove noget mere.",
    "Biblioteket holder lukket i påsken, men bøger kan afleveres som sædvanligt.",
    "Vejret bliver bedre i næste uge, lover meteorologerne.",
)
ENGLISH = (
    "The council has today adopted a new plan for bicycle paths along the harbour. Not everybody "
    "is happy about it, but the mayor says that many people have written to her and asked for "
    "exactly that. The work begins after the holidays and must be done before schools open again, "
    "so cars will have to use the old road that was closed years ago.\n"
)


def document(number: int) -> dict[str, Any]:
    """One of as many Danish documents as wanted; every tenth is English, every seventh a copy."""
    if number % 10 == 9:
        text = f"{ENGLISH}Number {number}."
    elif number % 7 == 6:
        text = document(number - 1)["text"]
    else:
        chosen = random.Random(number).sample(SENTENCES, 12)
        text = "\n\n".join(" ".join(chosen[at : at + 4]) for at in (0, 4, 8))
    return {"id": f"doc-{number:05d}", "text": text, "source": "test"}


def write_lines(path: Path, documents: Iterable[Mapping[str, Any]]) -> Path:
    """Write *documents* as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in documents))
    return path


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of everything that a run wrote to *folder*, by relative path; not of its workings."""
    return {
        str(path.relative_to(folder)): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".work" not in path.parts
    }


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    """The rows of one of the tables that a run wrote."""
    found: list[dict[str, Any]] = pq.read_table(folder / f"{table}.parquet").to_pylist()
    return found


def kept_documents(folder: Path) -> list[dict[str, Any]]:
    """The kept documents that a run wrote, file after file."""
    return [
        json.loads(line)
        for path in sorted((folder / "documents").iterdir())
        for line in io.TextIOWrapper(
            zstandard.ZstdDecompressor().stream_reader(path.open("rb")), "utf-8"
        )
    ]
