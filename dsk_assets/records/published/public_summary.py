"""The Public Summary of Training Content (AI Act, Regulation (EU) 2024/1689, Art. 53(1)(d)).

It has every field of the AI Office's template, in its order (Commission communication "Explanatory
Notice and Template for the Public Summary of Training Content for general-purpose AI models"). The
fields and their texts stand in ``templates/public_summary.yaml``.
"""

import datetime as dt
import json
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dsk_assets.consortium.languages import names
from dsk_assets.records.facts import Donation, Facts
from dsk_assets.records.rendering import FOLDER, LANGUAGES, Language, environment, page

TITLE = "Public Summary of Training Content"
SCHEMA = Path(__file__).parents[1] / "schemas" / "public_summary.schema.json"

BUCKETS = (
    (10**9, {"en": "less than 1 billion tokens", "da": "under 1 milliard tokens"}),
    (10**13, {"en": "1 billion to 10 trillion tokens", "da": "1 milliard til 10 billioner tokens"}),
)
LARGEST = {"en": "more than 10 trillion tokens", "da": "over 10 billioner tokens"}

GPAI_FLOP = 1e23
"""Training compute above which a model that generates language is presumed to be general-purpose
(Commission guidelines C(2025) 5045)."""

NAMED_SHARE = 0.001
"""Share of tokens from which a language has its own percentage; in less, short texts mislead."""

# fmt: off
OFFICIAL = frozenset((
    "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr", "hu", "it", "lt", "lv",
    "mt", "nl", "pl", "pt", "ro", "sk", "sl", "sv",
))
# fmt: on
"""The official languages of the Union (Regulation No 1/1958)."""


def render(facts: Facts) -> dict[str, bytes]:
    """The summary in English and a Danish reading version, as Markdown, HTML and JSON."""
    sections = {language: _sections(facts, language) for language in LANGUAGES}
    files = {
        f"public-summary.{language}.{ending}": page(
            f"public_summary.{ending}.j2",
            language,
            title=TITLE,
            sections=sections[language],
            facts=facts,
        )
        for language in LANGUAGES
        for ending in ("md", "html")
    }
    sidecar = json.dumps(_sidecar(facts, sections), indent=1, ensure_ascii=False)
    files["public-summary.json"] = f"{sidecar}\n".encode()
    files["public-summary.schema.json"] = SCHEMA.read_bytes()
    return files


def bucket(tokens: int) -> Mapping[str, str]:
    """The template's size bucket for so many tokens of text, by language."""
    return next((words for limit, words in BUCKETS if tokens < limit), LARGEST)


def _sections(facts: Facts, language: Language) -> list[dict[str, Any]]:
    """The sections with their fields, all texts filled in, in one language."""
    context = _context(facts)
    filled = []
    for section in _template():
        fields = [
            {
                "id": field["id"],
                "label": field["label"][language],
                "value": _fill(field["value"][language], language, context),
            }
            for field in section["fields"]
        ]
        filled.append({"id": section["id"], "title": section["title"][language], "fields": fields})
    return filled


@cache
def _template() -> list[dict[str, Any]]:
    sections: list[dict[str, Any]] = yaml.safe_load(
        (FOLDER / "public_summary.yaml").read_text("utf-8")
    )
    return sections


def _fill(template: str, language: Language, context: Mapping[str, Any]) -> str:
    text = environment(language).from_string(template).render(context).strip()
    return text if "\n|" in text else " ".join(text.split())


def _context(facts: Facts) -> dict[str, Any]:
    """What the texts may name beside the facts themselves."""
    donations = facts.donations
    languages, main = _languages(facts), facts.main_languages(NAMED_SHARE)
    public = [one for one in donations if one.is_public]
    least = facts.provider.large_dataset_share * sum(one.tokens for one in public)
    found: Counter[str] = Counter()
    for one in donations:
        found.update(one.findings or {})
    stages: Counter[str] = Counter()
    for row in facts.funnel:
        stages[row["stage"] if row["outcome"] == "dropped" else row["outcome"]] += row["documents"]
    kept, undecided = stages.pop("kept", 0), stages.pop("undecided", 0)
    return {
        "facts": facts,
        "provider": facts.provider,
        "checkpoint": facts.checkpoint,
        "bucket": bucket(facts.tokens),
        "public": public,
        "private": [one for one in donations if not one.is_public],
        "large": [one for one in public if one.tokens > least],
        "small": [one for one in public if one.tokens <= least],
        "crawled": _made_by(donations, "web-scraping-crawling"),
        "generated": _made_by(donations, "user-generated-content"),
        "synthetic": [one for one in donations if one.register["synthetic"]],
        "content_types": facts.tally("content_types"),
        "geography": facts.tally("geography"),
        "domain": facts.tally("domain"),
        "addresses": facts.tally("source_urls"),
        "protocols": facts.tally("opt_out_protocols"),
        "opt_outs": dict(sorted(Counter(_all(donations, "opt_out_status")).items())),
        "opt_out_checked": _date(max(_all(donations, "opt_out_checked_on"))),
        "latest": max([*_all(donations, "received"), *_known(donations, "collected_end")]),
        "written": {
            "start": min(_known(donations, "content_start"), default="?"),
            "end": max(_known(donations, "content_end"), default="?"),
        },
        "languages": [one for one in languages if one["code"] in main],
        "rest": [one for one in languages if one["code"] not in main],
        "findings": dict(sorted(found.items())),
        "kept_findings": sum(one.kept_findings for one in donations),
        "reviewed": [one for one in donations if one.leaks_at_most is not None],
        "unreviewed": [one for one in donations if one.leaks_at_most is None],
        "types": [row for row in facts.recall if row["kind"] == "type"],
        "unmeasured": [one for one in donations if not one.recall_measured],
        "uncounted": [one for one in donations if one.findings is None],
        "kept": kept,
        "delivered": kept + undecided + stages.total(),
        "dropped": dict(sorted(stages.items())),
    }


def _made_by(donations: tuple[Donation, ...], method: str) -> list[Donation]:
    return [one for one in donations if method in one.register["generation_method"]]


def _all(donations: tuple[Donation, ...], column: str) -> list[str]:
    return [one.register[column] for one in donations if one.register[column] is not None]


def _known(donations: tuple[Donation, ...], column: str) -> list[str]:
    return [value for value in _all(donations, column) if value != "unknown"]


def _date(value: str) -> dt.date:
    return dt.date.fromisoformat(value)


def _languages(facts: Facts) -> list[dict[str, Any]]:
    total = sum(facts.languages.values())
    return [
        {
            "code": code,
            **dict(zip(("en", "da"), names(code), strict=True)),
            "official": code in OFFICIAL,
            "tokens": tokens,
            "share": tokens / total,
        }
        for code, tokens in facts.languages.items()
    ]


def _sidecar(facts: Facts, sections: Mapping[Language, list[dict[str, Any]]]) -> dict[str, Any]:
    """The summary for programs; see ``schemas/public_summary.schema.json``."""
    checkpoint = facts.checkpoint
    return {
        "$schema": "public-summary.schema.json",
        "title": TITLE,
        "version": facts.version,
        "updated": facts.updated.isoformat(),
        "earlierVersions": list(facts.previous),
        "provider": {
            "name": facts.provider.legal_name,
            "contact": facts.provider.contact.email,
            "country": facts.provider.country,
        },
        "model": None
        if checkpoint is None
        else {
            "name": facts.provider.model.name,
            "version": facts.version,
            "licence": facts.provider.model.licence,
            "checkpoint": checkpoint.key,
            "digest": checkpoint.digest,
            "weights": dict(checkpoint.weights),
            "baseModel": checkpoint.base_model["name"],
            "trainingFlop": checkpoint.flop,
            "presumedGeneralPurpose": checkpoint.flop > GPAI_FLOP,
        },
        "corpus": {
            "name": facts.name,
            "version": facts.version,
            "digest": facts.digest,
            "tokenizer": facts.tokenizer,
            "tokens": facts.tokens,
            "documents": facts.documents,
            "characters": facts.characters,
            "shards": facts.shards,
            "size": bucket(facts.tokens)["en"],
        },
        "languages": [{"code": one["code"], "tokens": one["tokens"]} for one in _languages(facts)],
        "donations": [_donation(one) for one in facts.donations],
        "fields": [
            {
                "id": en["id"],
                "section": section["id"],
                "label": {"en": en["label"], "da": da["label"]},
                "value": {"en": en["value"], "da": da["value"]},
            }
            for section, other in zip(sections["en"], sections["da"], strict=True)
            for en, da in zip(section["fields"], other["fields"], strict=True)
        ],
    }


def _donation(one: Donation) -> dict[str, Any]:
    return {
        "donation": one.key,
        "donor": one.register["donor"],
        "title": {"en": one.register["title_en"], "da": one.register["title_da"]},
        "licence": one.register["licence"],
        "agreement": one.register["agreement"],
        "section": "2.1" if one.is_public else "2.2.2",
        "documents": one.documents,
        "tokens": one.tokens,
        "digest": one.digest,
    }
