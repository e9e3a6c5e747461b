"""How well names of each group are found, on the lists and when their list is missing.

    python -m dsk_assets.privacy.fairness

A list for every group of names in the world is out of reach, so what counts as well is how names
fare that nobody thought of. The names in the development sentences of the news are replaced by
others, drawn for each group of :mod:`~.synthetic_names`: a given name and a surname by themselves,
so that nobody has seen them together. They are searched with all lists; and once more for each
group with lists without those of its languages, and a sequence model trained anew with what is
left, in a process and a copy of the lists of its own. A name that the list of another language has,
too, stays on that.

It takes about half a CPU minute a group. ``data/fairness.json`` holds the counts and the digests of
what was measured; the table in ``docs/privacy.md`` between ``<!-- names without their list -->``
and ``<!-- end of names -->`` is made of it.
"""

import argparse
import json
import multiprocessing
import random
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from dsk_assets.lake.progress import shown, track
from dsk_assets.privacy import gazetteer
from dsk_assets.settings import PROJECT_ROOT, load_settings

COUNTS = gazetteer.DATA / "fairness.json"
PAGE = PROJECT_ROOT / "docs" / "privacy.md"
DRAWN = 2
"""So often each sentence is filled with names."""
_TABLE = re.compile(
    r"(?<=<!-- names without their list -->\n).*?(?=<!-- end of names -->)", re.DOTALL
)


def documents(group: str) -> Iterator[dict[str, Any]]:
    """The news sentences that name persons, with names of *group* in their place, labelled."""
    from dsk_assets.privacy.name_model_build import DEVELOPMENT, read
    from dsk_assets.privacy.synthetic_names import names_of

    given, surnames = names_of(group)
    for number in range(DRAWN):
        for sentence in read(DEVELOPMENT):
            rng = random.Random(f"{number}:{group}:{sentence['id']}")
            text, read_to, spans = "", 0, []
            for start, end in sentence["persons"]:
                name = _renamed(sentence["text"][start:end], given, surnames, rng)
                text += sentence["text"][read_to:start]
                place = {"start": len(text), "end": len(text) + len(name)}
                spans.append({**place, "label": "PERSON", "group": group})
                text, read_to = text + name, end
            if spans:
                yield {"text": text + sentence["text"][read_to:], "spans": spans}


def _renamed(name: str, given: list[str], surnames: list[str], rng: random.Random) -> str:
    """Another name with as many parts; initials, and the s of a genitive, stay."""
    *first, last = name.split()
    alone_given = not first and "g" in gazetteer.marks(last)
    parts = [one if len(one) < 3 else rng.choice(given) for one in first]
    parts.append(rng.choice(given if alone_given else surnames))
    genitive = last[-1] == "s" and gazetteer.key(last) not in gazetteer.names()
    return " ".join(parts) + ("s" if genitive and parts[-1][-1] not in "sxz" else "")


def lists_without(group: str) -> str:
    """The lines of ``names.tsv`` without the names that only lists of *group*'s languages have.

    The supplement was written with an eye on such lists, so it loses those names as well.
    """
    from dsk_assets.privacy.names_build import Source, build, faker_names
    from dsk_assets.privacy.synthetic_names import GROUPS

    languages = {locale.split("_")[0] for locale in GROUPS[group]}
    others, own = [], set()
    for locale, mark, name in faker_names():
        if locale.split("_")[0] in languages:
            own |= {gazetteer.key(part) for part in name.split()}
        else:
            others.append((locale, mark, name))
    rest = build(Counter(), [Source("other languages", "MIT", names=lambda: others)])
    full = gazetteer.names()
    listed = {name: full[name] for name in full.keys() - own}
    for line in rest.splitlines():
        name, marks = line.split("\t")
        if name not in listed:
            listed[name] = "".join(sorted({*marks, *({"w"} & set(full[name]))}))
    return "".join(f"{name}\t{listed[name]}\n" for name in sorted(listed))


def found(asked: Sequence[Mapping[str, Any]]) -> int:
    """How many labelled names of the documents *asked* are found."""
    from dsk_assets.privacy.evaluate import score

    return score(asked).total.found


def found_with(lines: str, asked: Sequence[Mapping[str, Any]]) -> int:
    """The same with *lines* for ``names.tsv``, and a model trained with them.

    To be called first in a process of its own, which reads a copy of the lists from then on.
    """
    with tempfile.TemporaryDirectory() as folder:
        gazetteer.DATA = Path(shutil.copytree(gazetteer.DATA, Path(folder) / "data"))
        (gazetteer.DATA / "names.tsv").write_text(lines, "utf-8")

        from dsk_assets.privacy import name_model_build as build
        from dsk_assets.privacy.name_model import MODEL

        assert MODEL.is_relative_to(folder), "the model was loaded before the lists"
        build.write(build.train(build.read(build.TRAIN)), MODEL)
        return found(asked)


def measured() -> dict[str, Any]:
    """The counts for all groups, and what was measured."""
    from dsk_assets.privacy.analyser import digest
    from dsk_assets.privacy.synthetic_names import GROUPS

    asked = {group: list(documents(group)) for group in sorted(GROUPS)}
    lines = map(lists_without, asked)
    with ProcessPoolExecutor(
        load_settings().workers, multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as processes:
        without = processes.map(found_with, lines, asked.values())
        counts = {
            group: {
                "spans": sum(len(one["spans"]) for one in asked[group]),
                "found": found(asked[group]),
                "found_without": number,
            }
            for group, number in zip(asked, track(without, "groups", total=len(asked)), strict=True)
        }
    return {"digests": digest(), "groups": counts}


def page(text: str, content: Mapping[str, Any]) -> str:
    """*text* of a page with the table of *content* made anew."""
    lines = ["", "| group | names | found | found without its lists |", "|---|---:|---:|---:|"]
    for group, one in content["groups"].items():
        shares = (100 * one[name] / one["spans"] for name in ("found", "found_without"))
        listed, unlisted = (f"{share:.1f} %" for share in shares)
        lines.append(f"| {group} | {one['spans']} | {listed} | {unlisted} |")
    return _TABLE.sub("\n".join([*lines, "", ""]), text)


def main() -> None:
    """Measure; write the counts, and the table of the page where it is there."""
    argparse.ArgumentParser(
        prog="python -m dsk_assets.privacy.fairness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    with shown():
        content = measured()
    COUNTS.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    if PAGE.exists():
        PAGE.write_text(page(PAGE.read_text("utf-8"), content), "utf-8")


if __name__ == "__main__":
    main()
