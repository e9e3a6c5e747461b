"""What the search for personal data costs: ``python benchmarks/privacy.py [DOCUMENTS]``.

In one run over the same invented documents, of which a quarter hold personal data: a plain loop of
Presidio's ``AnalyzerEngine.analyze`` over the structured recognisers, with a blank Danish spaCy
pipeline; the same recognisers as this project runs them (anchors, windows); and the whole step with
names: search, redaction, flags and the second search. The three take turns, five times over; prints
the medians of words a CPU second and their ratios, then what the whole step does of short documents
that are full of personal data, and stops where the findings are not identical.
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SHARE = 0.25
ROUNDS = 5


def documents(number: int, seed: int = 7) -> Iterator[str]:
    """News of about 350 words; every fourth has an invented document with personal data in it."""
    from dsk_assets.privacy import synthetic
    from dsk_assets.privacy.name_model_build import TRAIN, read

    sentences = [sentence["text"] for sentence in read(TRAIN)]
    plain = [text for text in sentences if sum(c.isdigit() for c in text) < 4]
    personal = synthetic.documents(number, seed)
    for index in range(number):
        rng = random.Random(f"{seed}:{index}")
        paragraphs = [" ".join(rng.choices(plain, k=7)) for _ in range(3)]
        if rng.random() < SHARE:
            paragraphs.insert(rng.randrange(4), next(personal)["text"])
        yield "\n\n".join(paragraphs)


def presidio(folder: Path) -> Callable[[str], Any]:
    """A plain loop's step: all of the text through Presidio's engine."""
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    from dsk_assets.privacy.analyser import MIN_SCORE
    from dsk_assets.privacy.normalise import fold
    from dsk_assets.privacy.recognisers.registry import structured_recognisers

    spacy.blank("da").to_disk(folder)
    engine = AnalyzerEngine(
        registry=RecognizerRegistry(structured_recognisers(), supported_languages=["da"]),
        nlp_engine=SpacyNlpEngine(models=[{"lang_code": "da", "model_name": str(folder)}]),
        supported_languages=["da"],
    )
    return lambda text: engine.analyze(fold(text).text, "da", score_threshold=MIN_SCORE)


def places(results: Any) -> set[tuple[int, int, str]]:
    """Place and type of each finding; of one type only the longest where one holds another."""
    found = {(r.start, r.end, getattr(r, "entity", None) or r.entity_type) for r in results}
    return {
        f
        for f in found
        if not any(g != f and g[2] == f[2] and g[0] <= f[0] and f[1] <= g[1] for g in found)
    }


def main(number: int) -> None:
    """Run all three and print what they cost."""
    from dsk_assets.privacy import synthetic
    from dsk_assets.privacy.analyser import Analyser, analyser
    from dsk_assets.privacy.entities import PRIORITY
    from dsk_assets.privacy.normalise import fold
    from dsk_assets.privacy.recognisers.registry import structured_recognisers
    from dsk_assets.privacy.redact import treat
    from dsk_assets.privacy.scan import EVERYTHING

    texts = list(documents(number))
    words = sum(len(text.split()) for text in texts)
    names = analyser()
    structured = Analyser(structured_recognisers(), [e for e in PRIORITY if e != "PERSON"])
    share = sum(any(structured.anchors.windows(fold(text).text)) for text in texts) / number
    print(f"{number} documents, {words} words, {share:.0%} of the documents hold candidates")
    with tempfile.TemporaryDirectory() as folder:
        steps: dict[str, Callable[[str], Any]] = {
            "presidio, plain loop": presidio(Path(folder) / "da"),
            "structured": structured.find,
            "whole step with names": lambda text: treat(text, EVERYTHING, names),
        }
        spent: dict[str, list[float]] = {name: [] for name in steps}
        results: dict[str, list[Any]] = {}
        for step in steps.values():
            list(map(step, texts[:20]))
        for _ in range(ROUNDS):
            for name, step in steps.items():
                started = time.process_time()
                results[name] = list(map(step, texts))
                spent[name].append(time.process_time() - started)
    plain, ours, _ = results.values()
    different = sum(places(p) != places(f) for p, f in zip(plain, ours, strict=True))
    if different:
        raise SystemExit(f"{different} documents have other findings than the plain loop")
    seconds = {name: statistics.median(rounds) for name, rounds in spent.items()}
    for name, median in seconds.items():
        ratio = seconds["presidio, plain loop"] / median
        print(f"{name}: {words / median:,.0f} words a CPU second, {ratio:.1f} times the plain loop")
    short = [one["text"] for one in synthetic.documents(400, 9)]
    started = time.process_time()
    list(map(steps["whole step with names"], short))
    speed = sum(len(text.split()) for text in short) / (time.process_time() - started)
    print(f"short documents full of personal data, with names: {speed:,.0f} words a CPU second")
    print(f"findings of the structured recognisers identical in all {number} documents")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
