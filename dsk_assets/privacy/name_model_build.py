"""Train the sequence model for names and write it with its card: the same input, the same bytes.

    python -m dsk_assets.privacy.name_model_build

Data: the news sentences of DaN+ in ``data/ner`` (see ``LICENCE.md`` there). Each sentence is
learnt as it stands; with its names replaced by others drawn from the name lists, of which some are
treated as unlisted, so that the model also learns from the sentence round a name; and, for some,
in lower case. The development part is never learnt from: the card's scores are measured on it.
It takes about half a CPU minute.
"""

import gzip
import json
import random
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dsk_assets.lake.digests import sha256_file
from dsk_assets.privacy.gazetteer import DATA, marks, names
from dsk_assets.privacy.name_model import (
    BREAK,
    LABELS,
    MODEL,
    OFFSETS,
    NameModel,
    Names,
    at_offset,
    is_caseless,
    tokens,
    word_features,
)

CARD = DATA / "name_model.json"
TRAIN = DATA / "ner" / "train.jsonl.gz"
DEVELOPMENT = DATA / "ner" / "dev.jsonl.gz"
PARAMETERS = {
    "c1": 0.0,
    "c2": 0.5,
    "max_iterations": 150,
    "feature.minfreq": 1,
    "feature.possible_transitions": True,
}
_DECIMALS = 3
_DUMPED = re.compile(
    r"^  \((?P<kind>[01])\) (?P<feature>.+) --> (?P<label>[OBIX]): (?P<weight>-?[\d.]+)$",
    re.MULTILINE,
)
"""A line of CRFsuite's dump: 0 for the weight of a feature, 1 for that of a transition."""


class Word(NamedTuple):
    """A token to learn from: its label, and marks that replace those of the name lists."""

    text: str
    label: str
    listed: str | None = None


def read(path: Path) -> list[dict[str, Any]]:
    """The annotated sentences of *path*: ``text``, and ``persons`` and ``others`` as spans."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def labelled(
    text: str, persons: Sequence[Sequence[int]], others: Sequence[Sequence[int]] = ()
) -> Iterator[list[Word]]:
    """The tokens of each sentence of *text* with their labels; *others* are names of no person."""
    words: list[Word] = []
    for token in tokens(text):
        if token.text == BREAK:
            if words:
                yield words
            words = []
            continue
        inside = any(token.start < end and start < token.end for start, end in others)
        label = "X" if inside else "O"
        for start, end in persons:
            if token.start < end and start < token.end:
                label = "B" if token.start <= start else "I"
        words.append(Word(token.text, label))
    if words:
        yield words


class _Drawn:
    """Names to put in place of others: Danish and foreign, given and surnames."""

    def __init__(self) -> None:
        lists: dict[tuple[bool, str], list[str]] = {}
        for name, found in sorted(names().items()):
            if len(name) > 2 and not {"w", "p"} & set(found):
                for mark in {"g", "s"} & set(found):
                    lists.setdefault(("d" in found, mark), []).append(name.title())
        self._lists = lists

    def draw(self, rng: random.Random, danish: bool, mark: str) -> str:
        """A given name (``g``) or surname (``s``)."""
        return rng.choice(self._lists[danish, mark])


def swapped(words: Sequence[Word], rng: random.Random, lists: _Drawn) -> list[Word]:
    """*words* with their names replaced; about a third of the new ones count as unlisted."""
    result: list[Word] = []
    danish = True
    for place, word in enumerate(words):
        if word.label == "B":
            danish = rng.random() < 0.4
        plain = len(word.text) > 2 and word.text[0].isupper() and not word.text.isupper()
        if word.label not in "BI" or not plain:
            result.append(word)
            continue
        found = set(marks(word.text))
        last = place + 1 == len(words) or words[place + 1].label != "I"
        alone = word.label == "B" and last
        mark = "s" if (last and not alone) or (alone and "s" in found and "g" not in found) else "g"
        name = lists.draw(rng, danish, mark)
        genitive = last and word.text.endswith("s") and not set(marks(word.text[:-1])) < found
        if genitive and "s" not in name[-1]:
            name += "s"
        result.append(Word(name, word.label, "" if rng.random() < 0.35 else None))
    return result


def variants(words: Sequence[Word], rng: random.Random, lists: _Drawn) -> Iterator[list[Word]]:
    """What is learnt from one sentence."""
    yield list(words)
    has_name = any(word.label in "BI" for word in words)
    if has_name:
        yield swapped(words, rng, lists)
        yield [
            word._replace(listed="" if word.label in "BI" and rng.random() < 0.5 else None)
            for word in words
        ]
    if rng.random() < (0.5 if has_name else 0.15):
        base = swapped(words, rng, lists) if has_name and rng.random() < 0.5 else words
        yield [word._replace(text=word.text.lower()) for word in base]


def attributes(words: Sequence[Word]) -> list[list[str]]:
    """The features of each word with those of its neighbours, as the model adds them."""
    caseless = is_caseless([word.text for word in words])
    edge = word_features(BREAK, False)
    described = [word_features(word.text, caseless, word.listed) for word in words]
    padded = [None, edge, *described, edge, None]
    result = []
    for place in range(2, len(padded) - 2):
        mine: list[str] = []
        for offset in OFFSETS:
            other = padded[place + offset]
            if other is not None:
                mine += at_offset(other[1], offset)
        kinds = [described_[0] for described_ in padded[place - 1 : place + 2] if described_]
        mine.append(f"p={kinds[0]}>{kinds[1]}")
        mine.append(f"q={kinds[0]}>{kinds[2]}")
        result.append(mine)
    return result


def train(sentences: Iterable[dict[str, Any]], seed: int = 1) -> str:
    """The lines of the model: a feature and its weight for each label, or transitions."""
    import pycrfsuite

    rng, lists = random.Random(seed), _Drawn()
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", params=PARAMETERS, verbose=False)
    for sentence in sentences:
        for words in labelled(sentence["text"], sentence["persons"], sentence["others"]):
            for variant in variants(words, rng, lists):
                trainer.append(attributes(variant), [word.label for word in variant])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crf"
        trainer.train(str(path))
        tagger = pycrfsuite.Tagger()
        tagger.open(str(path))
        tagger.dump(str(path.with_suffix(".txt")))
        tagger.close()
        dump = path.with_suffix(".txt").read_text("utf-8")
    weights: dict[str, dict[str, float]] = {}
    for match in _DUMPED.finditer(dump):
        feature = match["feature"] if match["kind"] == "0" else f"t:{match['feature']}"
        weights.setdefault(feature, {})[match["label"]] = float(match["weight"])
    lines = []
    for feature in sorted(weights):
        values = [round(weights[feature].get(label, 0.0), _DECIMALS) for label in LABELS]
        if any(values):
            lines.append("\t".join([feature, *(f"{value:g}" for value in values)]) + "\n")
    return "".join(lines)


def write(lines: str, path: Path) -> None:
    """Write the model, compressed without a time stamp."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(lines.encode("utf-8"))


def scores(
    model: NameModel, sentences: Iterable[dict[str, Any]], threshold: float
) -> dict[str, float]:
    """How well *model* alone finds the names of annotated *sentences* at *threshold*.

    Precision, recall and F1 of exact spans; the share of names covered whole; and spans that
    touch no name, a thousand words.
    """
    exact = predicted = gold = covered = spurious = words = 0
    for sentence in sentences:
        text = sentence["text"]
        found = tokens(text)
        spans = {span[:2] for span in Names(found, model.probabilities(found)).spans(threshold)}
        persons = {(start, end) for start, end in sentence["persons"]}
        places = {place for span in spans for place in range(*span)}
        exact += len(spans & persons)
        predicted += len(spans)
        gold += len(persons)
        covered += sum(
            all(p in places for p in range(start, end) if text[p].isalnum())
            for start, end in persons
        )
        spurious += sum(all(e <= s or b <= a for s, b in persons) for a, e in spans)
        words += len(text.split())
    return {
        "precision": round(exact / max(predicted, 1), 3),
        "recall": round(exact / max(gold, 1), 3),
        "f1": round(2 * exact / max(predicted + gold, 1), 3),
        "covered": round(covered / max(gold, 1), 3),
        "spurious_per_1000_words": round(1000 * spurious / max(words, 1), 2),
    }


def card(cpu_seconds: float) -> dict[str, Any]:
    """What the model beside it was made of, under which licences, and how well it does alone."""
    development = read(DEVELOPMENT)
    lists = (
        "names.tsv",
        "lexicon.txt.gz",
        "places.txt",
        "not_persons.txt",
        "cities.txt",
        "words.txt",
    )
    return {
        "model": MODEL.name,
        "sha256": sha256_file(MODEL),
        "kind": "linear-chain conditional random field, labels O, B, I, X; trained with CRFsuite",
        "parameters": PARAMETERS,
        "bytes": MODEL.stat().st_size,
        "training": {"file": f"ner/{TRAIN.name}", "sha256": sha256_file(TRAIN)},
        "development": {"file": f"ner/{DEVELOPMENT.name}", "sha256": sha256_file(DEVELOPMENT)},
        "lists": {name: sha256_file(DATA / name) for name in lists},
        "licence": "CC BY-SA 4.0, as its training sentences; annotation MIT; see ner/LICENCE.md",
        "cpu_seconds": round(cpu_seconds),
        "scores": {
            f"threshold {threshold}": scores(NameModel(MODEL), development, threshold)
            for threshold in (0.1, 0.3, 0.5)
        },
        "measured_on": f"{len(development)} news sentences that were never learnt from",
        "limits": "Learnt from news of the 1980s and 1990s; chat and forms are left to rules.",
    }


def main() -> None:
    """Train on all of the training part; write the model and its card."""
    started = time.process_time()
    write(train(read(TRAIN)), MODEL)
    described = card(time.process_time() - started)
    CARD.write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
