"""How well names are found in news: ``python benchmarks/names.py`` (two CPU minutes).

The news sentences of DaN+ that the repository carries, with human annotation: the training part in
five blocks, each searched with a model that learnt from the other four, and the development part,
searched with the model that is shipped. The whole search takes part: lists, rules and model.
Prints precision, recall and F1 of exact spans, the share of names that are covered whole, and finds
that touch no name, a thousand words; for all finds, and for those of a score of at least 0.8.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BLOCKS = 5
SURE = 0.8

Searched = list[tuple[dict[str, Any], list[Any]]]


def searched(model: Any, sentences: Sequence[dict[str, Any]]) -> Searched:
    """Each sentence with the persons that the whole search finds with *model*."""
    from dsk_assets.privacy import name_model
    from dsk_assets.privacy.analyser import analyser
    from dsk_assets.privacy.redact import resolve

    name_model.search.cache_clear()
    with patch.object(name_model, "name_model", lambda: model):
        return [
            (one, [f for f in resolve(analyser().find(one["text"])) if f.entity == "PERSON"])
            for one in sentences
        ]


def blocks(sentences: Sequence[dict[str, Any]]) -> Iterator[Searched]:
    """Each block of *sentences* as a model of the others finds names in it."""
    from dsk_assets.privacy import name_model_build as build
    from dsk_assets.privacy.name_model import NameModel

    size = len(sentences)
    with tempfile.TemporaryDirectory() as folder:
        for block in range(BLOCKS):
            start, end = block * size // BLOCKS, (block + 1) * size // BLOCKS
            file = Path(folder) / f"{block}.tsv.gz"
            build.write(build.train([*sentences[:start], *sentences[end:]]), file)
            yield searched(NameModel(file), sentences[start:end])


def report(name: str, outcome: Searched, least: float = 0.0) -> None:
    """Print one line of scores for finds with a score of at least *least*."""
    exact = found = names = covered = spurious = words = 0
    for one, finds in outcome:
        spans = {(f.start, f.end) for f in finds if f.score >= least}
        persons = {(start, end) for start, end in one["persons"]}
        places = {place for span in spans for place in range(*span)}
        exact += len(spans & persons)
        found += len(spans)
        names += len(persons)
        covered += sum(
            all(p in places for p in range(s, e) if one["text"][p].isalnum()) for s, e in persons
        )
        spurious += sum(all(e <= s or b <= a for s, b in persons) for a, e in spans)
        words += len(one["text"].split())
    print(
        f"{name}, score {least} and more: {names} names, precision {exact / found:.1%}, recall "
        f"{exact / names:.1%}, F1 {2 * exact / (found + names):.1%}, "
        f"covered {covered / names:.1%}, {1000 * spurious / words:.1f} spurious a thousand words"
    )


def main() -> None:
    """Cross-validate on the training part and measure on the development part."""
    from dsk_assets.privacy import name_model_build as build
    from dsk_assets.privacy.name_model import NameModel

    training = [one for block in blocks(build.read(build.TRAIN)) for one in block]
    development = searched(NameModel(), build.read(build.DEVELOPMENT))
    for least in (0.0, SURE):
        report("training part, five blocks", training, least)
        report("development part", development, least)


if __name__ == "__main__":
    main()
