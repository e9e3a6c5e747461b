"""Nobody is told that text is anonymised: it is filtered, with measured gaps."""

import re
from pathlib import Path

import pytest

from dsk_assets.settings import PROJECT_ROOT

FOLDERS = ("dsk_assets", "expectations", "dbt_project/models", "docs", "examples/consortium")
ENDINGS = {".md", ".py", ".j2", ".yaml", ".yml", ".json", ".sql", ".html"}
CLAIM = re.compile(r"anonymi[sz](?:ed?|ation|ering|er(?:et|ede)|ing)\w*", re.IGNORECASE)
DENIED = re.compile(
    r"(?:\bnot\b|\bikke\b|\bnever\b|\baldrig\b|Krav til|\bthan\b)[^.]{0,60}$", re.IGNORECASE
)
"""What must stand before the word: that the text is not so, or the title of a guide."""


def files() -> list[Path]:
    found = [*PROJECT_ROOT.glob("*.md")]
    for folder in FOLDERS:
        found += (path for path in (PROJECT_ROOT / folder).rglob("*") if path.suffix in ENDINGS)
    return [path for path in found if "donations" not in path.parts and path.is_file()]


def claims(text: str) -> list[str]:
    flat = " ".join(text.split())
    return [
        flat[max(0, match.start() - 60) : match.end()]
        for match in CLAIM.finditer(flat)
        if not DENIED.search(flat[: match.start()])
    ]


def test_nothing_we_write_claims_that_text_is_anonymised() -> None:
    assert len(files()) > 200
    found = {str(path): claims(path.read_text("utf-8")) for path in files()}
    assert {name: where for name, where in found.items() if where} == {}


@pytest.mark.parametrize(
    "text",
    ["Teksten er anonymiseret.", "The corpus has been anonymised.", "after anonymization of names"],
)
def test_a_claim_would_be_noticed(text: str) -> None:
    assert claims(text)


def test_records_use_the_agreed_word() -> None:
    templates = PROJECT_ROOT / "dsk_assets" / "records" / "templates"
    for name in ("dataset_card.md.j2", "model_card.md.j2", "public_summary.yaml"):
        assert "personoplysningsfiltreret" in (templates / name).read_text("utf-8"), name
