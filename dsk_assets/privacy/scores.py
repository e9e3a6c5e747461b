"""Measure the search on what this repository carries and generates, and write the counts.

    python -m dsk_assets.privacy.scores

``data/scores.json`` holds for each set the counts of :meth:`~.evaluate.Score.counts`, and the
digests of the recognisers and lists that were measured, so that a reader can see whether they are
those in use: ``forms`` (every type in each form of :mod:`~.canaries`, planted between sentences of
news without persons), ``invented`` (:mod:`~.synthetic`), ``names`` (:mod:`~.synthetic_names`) and
``news`` (the development part of DaN+, whose names were never learnt from). The tables in
``docs/privacy.md`` between ``<!-- scores: NAME -->`` and ``<!-- end of scores -->`` are made anew
of them.
"""

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from dsk_assets.lake.progress import shown, track
from dsk_assets.privacy import canaries, synthetic, synthetic_names
from dsk_assets.privacy.analyser import analyser, digest
from dsk_assets.privacy.evaluate import Score, score
from dsk_assets.privacy.gazetteer import DATA
from dsk_assets.privacy.name_model_build import DEVELOPMENT, read
from dsk_assets.settings import PROJECT_ROOT

SCORES = DATA / "scores.json"
PLANTINGS = 4
"""So often each form is planted, :data:`.canaries.EACH` times each."""
PAGE = PROJECT_ROOT / "docs" / "privacy.md"
_TABLE = re.compile(r"(?<=<!-- scores: )(\w+)( -->\n).*?(?=<!-- end of scores -->)", re.DOTALL)


def news() -> Iterator[dict[str, Any]]:
    """The development part of DaN+ as labelled documents; only persons are labelled."""
    for sentence in read(DEVELOPMENT):
        spans = [{"start": s, "end": e, "label": "PERSON"} for s, e in sentence["persons"]]
        yield {"id": sentence["id"], "text": sentence["text"], "spans": spans}


def forms() -> Iterator[dict[str, Any]]:
    """Invented identifiers of all types in all forms, labelled, between sentences of news."""
    plain = [one["text"] for one in read(DEVELOPMENT) if not one["persons"]]
    carriers = ["\n".join(plain[n :: canaries.COPIES]) for n in range(canaries.COPIES)]
    for seed in range(PLANTINGS):
        for text, planted in canaries.plant(carriers, set(), str(seed)):
            spans = [
                {"start": one.start, "end": one.end, "label": one.form.entity} for one in planted
            ]
            yield {"text": text, "spans": spans}


def measured() -> dict[str, Any]:
    """The counts for all sets, and what was measured."""
    sets: Mapping[str, Iterable[Mapping[str, Any]]] = {
        "forms": forms(),
        "invented": synthetic.documents(600, 1),
        "names": synthetic_names.documents(100, 1),
        "news": news(),
    }
    engine = analyser()
    return {
        "digests": digest(),
        "sets": {
            name: score(documents, engine).counts()
            for name, documents in track(sets.items(), "scores", unit="sets")
        },
    }


@cache
def stored() -> dict[str, Any]:
    """The counts and digests of the last measurement, as the package carries them."""
    content: dict[str, Any] = json.loads(SCORES.read_bytes())
    return content


def lowest_recall(content: Mapping[str, Any], kind: str = "types") -> dict[str, float]:
    """For each of the ``types`` or ``groups`` in *content*, as :func:`stored` gives it, the share
    of labelled spans that was found, in the set with the least; to four places."""
    recall: dict[str, float] = {}
    for counts in content["sets"].values():
        for name, one in counts[kind].items():
            if one["spans"]:
                share = round(one["found"] / one["spans"], 4)
                recall[name] = min(recall.get(name, 1.0), share)
    return dict(sorted(recall.items()))


def page(text: str, content: Mapping[str, Any]) -> str:
    """*text* of a page with the tables of the sets in *content* made anew.

    Raises ``KeyError`` where it has a table of a set that there is not.
    """

    def table(match: re.Match[str]) -> str:
        shown = Score.of_counts(content["sets"][match[1]]).markdown()
        return f"{match[1]}{match[2]}\n{shown}\n"

    return _TABLE.sub(table, text)


def main() -> None:
    """Measure; write the counts, and the tables of the page where it is there."""
    argparse.ArgumentParser(
        prog="python -m dsk_assets.privacy.scores",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    with shown():
        content = measured()
    SCORES.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    if PAGE.exists():
        PAGE.write_text(page(PAGE.read_text("utf-8"), content), "utf-8")


if __name__ == "__main__":
    main()
