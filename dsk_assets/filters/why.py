"""Why a document was kept or dropped, in words: English and Danish."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dsk_assets.consortium.languages import danish, names
from dsk_assets.errors import InputError, MissingInputError
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.filters.careful import UNDETERMINED
from dsk_assets.filters.decisions import ASSET
from dsk_assets.filters.measures import MEASURES
from dsk_assets.filters.measures_da import IN_DANISH
from dsk_assets.filters.ruleset import load
from dsk_assets.filters.verdicts import EVALUATION_RULE, LANGUAGE_RULE

Rows = list[dict[str, Any]]
POLICY = "policy.json"
"""What ``dsk filter run`` writes last."""


_WITHHELD = {
    "density": (
        "it has more direct identifiers of persons than the policy allows",
        "der er flere direkte personoplysninger i det, end politikken tillader",
    ),
    "special-category": (
        "it holds special categories of personal data",
        "der er følsomme personoplysninger i det",
    ),
    "recogniser-error": ("its search for personal data failed", "søgningen i det slog fejl"),
    "recogniser-stopped": ("its search for personal data stopped", "søgningen i det gik i stå"),
}
"""Why a document was withheld for personal data."""


@dataclass(frozen=True)
class _Known:
    """The decision on one document, and a way to look up what else its place knows of it."""

    row: Mapping[str, Any]
    place: str
    rule_set: str
    rows_of: Callable[[str], Rows]
    """The document's rows of the table ``language``, ``contamination`` or ``cut``."""


def why(catalog: Catalog, doc_id: str) -> str:
    """What was decided about the document *doc_id* and why, in English and in Danish.

    One paragraph for each donation version that has it. Raises :class:`MissingInputError` when
    no decision on such a document has been made.
    """
    told = []
    for donation in catalog.partitions(ASSET):
        snapshot = catalog.require(ASSET, donation)
        build = snapshot.statement["predicate"]["buildDefinition"]
        rule_set = build["internalParameters"]["config"]["rule_set"]
        told += [
            _explain(_Known(row, donation, rule_set, _looking_in(catalog, snapshot, doc_id)))
            for row in _rows(snapshot, "decision", doc_id)
        ]
    if not told:
        raise MissingInputError(
            f"no decision on a document with the id {doc_id} — check the id, or materialise "
            f"{ASSET} of its donation"
        )
    return "\n\n".join(told)


def examples(catalog: Catalog) -> list[tuple[str, str]]:
    """One dropped document for each rule that dropped any: rule and doc_id, sorted by rule."""
    found: dict[str, str] = {}
    for donation in catalog.partitions(ASSET):
        for batch in catalog.require(ASSET, donation).batches("decision", ["rule", "doc_id"]):
            _first_of_each(found, pa.Table.from_batches([batch]))
    return sorted(found.items())


def why_in(folder: Path, doc_id: str) -> str:
    """As :func:`why`, from what ``dsk filter run`` wrote to *folder*.

    Raises :class:`InputError` where it wrote nothing there, or has no such document.
    """
    found = _filtered(folder, "decisions", doc_id)
    if not found:
        raise InputError(f"{folder} has no document with the id {doc_id} — check the id")
    (tags,) = _filtered(folder, "attributes", doc_id)
    row = {**found[0], "doc_id": doc_id, "n_char": int(tags["n_char"])}
    row["stage"] = _STAGES.get(row["rule"], "quality")
    policy = orjson.loads((folder / POLICY).read_bytes())

    def rows_of(table: str) -> Rows:
        if table == "language":
            return [tags]
        return _filtered(folder, "cuts", doc_id) if table == "cut" else []

    return _explain(_Known(row, str(folder), policy["quality"]["rules"], rows_of))


def examples_in(folder: Path) -> list[tuple[str, str]]:
    """As :func:`examples`, from what ``dsk filter run`` wrote to *folder*."""
    found: dict[str, str] = {}
    with pq.ParquetFile(_table(folder, "decisions")) as file:
        for batch in file.iter_batches(columns=["rule", "id"]):
            _first_of_each(found, pa.table({"rule": batch["rule"], "doc_id": batch["id"]}))
    return sorted(found.items())


_STAGES = {
    "": "",
    LANGUAGE_RULE: "language",
    EVALUATION_RULE: "decontamination",
    **dict.fromkeys(("exact-duplicate", "near-duplicate", "lines-duplicate"), "duplicates"),
}


def _table(folder: Path, name: str) -> Path:
    path = folder / f"{name}.parquet"
    if not path.is_file() or not (folder / POLICY).is_file():
        raise InputError(
            f"{folder} holds no results of a run that ended — run dsk filter run first"
        )
    return path


def _filtered(folder: Path, name: str, doc_id: str) -> Rows:
    rows: Rows = pq.read_table(_table(folder, name), filters=[("id", "=", doc_id)]).to_pylist()
    return rows


def _first_of_each(found: dict[str, str], rows: pa.Table) -> None:
    dropped = rows.filter(pc.field("rule") != "")
    for row in dropped.group_by("rule").aggregate([("doc_id", "min")]).to_pylist():
        found.setdefault(row["rule"], row["doc_id_min"])


def _rows(snapshot: Snapshot, table: str, doc_id: str) -> Rows:
    return [
        row
        for batch in snapshot.batches(table, rows=65_536)
        for row in pa.Table.from_batches([batch]).filter(pc.field("doc_id") == doc_id).to_pylist()
    ]


def _looking_in(catalog: Catalog, decisions: Snapshot, doc_id: str) -> Callable[[str], Rows]:
    def rows_of(table: str) -> Rows:
        made = f"filtering/{table}"
        snapshot = decisions if table == "cut" else catalog.require(made, decisions.partition)
        return _rows(snapshot, table, doc_id)

    return rows_of


def _explain(known: _Known) -> str:
    because, fordi = _reason(known)
    row, size = known.row, known.row["n_char"]
    fate = ("kept", "beholdt") if row["kept"] else ("dropped", "frasorteret")
    return (
        f"Document {row['doc_id']} of {known.place} ({size:,} characters): {fate[0]}{because}\n"
        f"Dokument {row['doc_id']} i {known.place} ({danish(f'{size:,}')} tegn): "
        f"{fate[1]}{fordi}"
    )


def _reason(known: _Known) -> tuple[str, str]:
    row = known.row
    share, limit = _percent(row["value"] or 0), _percent(row["threshold"] or 0)
    match row["stage"]:
        case "" if row.get("n_cut"):
            size, (lines, other) = f"{row['n_cut']:,}", _cut(known.rows_of("cut"))
            return (
                f", without the lines that other documents have too ({lines} of {size} characters "
                f"in all, most of them in {other}).",
                f", uden de linjer, som andre dokumenter også har ({lines} på i alt "
                f"{danish(size)} tegn, de fleste i {other}).",
            )
        case "personal_data":
            because, fordi = _WITHHELD.get(row["rule"], (row["rule"], row["rule"]))
            return f", because {because} ({row['rule']}).", f", fordi {fordi} ({row['rule']})."
        case "language":
            most = _most(known.rows_of("language")[0]["language"])
            return (
                f", because {share} of its letters are in accepted languages and at least "
                f"{limit} must be; {most[0]}.",
                f", fordi {danish(share)} af bogstaverne er på de tilladte sprog, og mindst "
                f"{danish(limit)} skal være det; {most[1]}.",
            )
        case "quality":
            return _broken(known.rule_set, row)
        case "decontamination":
            sets = [one["evaluation"] for one in known.rows_of("contamination")]
            most = (
                (f", most of them in {sets[0]}", f", de fleste i {sets[0]}") if sets else ("", "")
            )
            found, may = f"{row['value']:,.0f}", f"{row['threshold']:,.0f}"
            return (
                f", because {found} of its sequences of 13 words also stand in evaluation sets"
                f"{most[0]}; at most {may} may.",
                f", fordi {danish(found)} af dets rækker på 13 ord også står i evalueringssæt"
                f"{most[1]}; højst {danish(may)} må.",
            )
        case "duplicates" if row["rule"] == "lines-duplicate":
            survivor = row["survivor_id"]
            return (
                f", because {share} of its characters stand in lines of other documents that are "
                f"kept, most of them in {survivor}; at most {limit} may.",
                f", fordi {danish(share)} af tegnene står i linjer fra andre dokumenter, der "
                f"beholdes, de fleste i {survivor}; højst {danish(limit)} må.",
            )
        case "duplicates":
            survivor, value = row["survivor_id"], f"{row['value'] or 0:.4g}"
            exact = row["rule"] == "exact-duplicate"
            return (
                f", because document {survivor} is kept and has {'' if exact else 'almost '}the "
                f"same text (similarity {value}, rule {row['rule']}).",
                f", fordi dokument {survivor} beholdes og har {'' if exact else 'næsten '}samme "
                f"tekst (lighed {danish(value)}, regel {row['rule']}).",
            )
    return ".", "."


def _most(code: str) -> tuple[str, str]:
    """What most of a text is in, by the *code* of its language."""
    if code == UNDETERMINED:
        return "the language of most of it is not known", "sproget i det meste kendes ikke"
    english, in_danish = names(code)
    return f"most of it is in {english}", f"det meste er på {in_danish}"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _broken(rule_set: str, row: Mapping[str, Any]) -> tuple[str, str]:
    rule = next(rule for rule in load(rule_set).rules if rule.id == row["rule"])
    value, threshold = f"{row['value']:.4g}", f"{row['threshold']:.4g}"
    least = rule.min is not None
    return (
        f", because {rule.en} ({MEASURES[rule.measure]}: {value}, {'least' if least else 'most'} "
        f"allowed {threshold}; rule {rule.id} of {rule_set}; {rule.source}).",
        f", fordi {rule.da} ({IN_DANISH[rule.measure]}: {danish(value)}, "
        f"{'mindst' if least else 'højst'} tilladt {danish(threshold)}; "
        f"regel {rule.id} i {rule_set}; {rule.source}).",
    )


def _cut(rows: Rows) -> tuple[int, str]:
    """How many lines were cut out of a document, and the other one that has most of their text."""
    sizes: Counter[str] = Counter()
    for row in rows:
        sizes[row["survivor_id"]] += row["end"] - row["start"]
    return len(rows), min(sizes, key=lambda name: (-sizes[name], name))
