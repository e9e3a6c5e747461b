"""What published records share: templates, numbers and dates in two languages, Markdown."""

import datetime as dt
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jinja2
import yaml
from markdown_it import MarkdownIt
from markupsafe import Markup

from dsk_assets.consortium import languages
from dsk_assets.records import danish
from dsk_assets.records.facts import Donation

Language = Literal["en", "da"]
LANGUAGES: tuple[Language, ...] = ("en", "da")
FOLDER = Path(__file__).parent / "templates"

# fmt: off
MONTHS_DA = (
    "januar", "februar", "marts", "april", "maj", "juni", "juli", "august", "september",
    "oktober", "november", "december",
)
# fmt: on

COLUMNS: dict[Language, tuple[str, ...]] = {
    "en": ("Dataset and version", "Title", "Given by", "Terms", "Languages", "Written", "Collected",
           "Tokens", "Link"),
    "da": ("Datasæt og version", "Titel", "Givet af", "Vilkår", "Sprog", "Skrevet", "Indsamlet",
           "Tokens", "Link"),
}  # fmt: skip
TO = {"en": "to", "da": "til"}
UNKNOWN = {"en": "not known", "da": "ikke kendt"}
NO_LINK = {"en": "none", "da": "intet"}


def number(value: float, language: Language) -> str:
    """A whole number with the separators of the language: 1,234 or 1.234."""
    text = f"{value:,.0f}"
    return languages.danish(text) if language == "da" else text


def percent(value: float, language: Language) -> str:
    """A share as a percentage with one decimal: 3.5 % or 3,5 %."""
    text = f"{100 * value:.1f}"
    return (languages.danish(text) if language == "da" else text) + " %"


def day(value: dt.date, language: Language) -> str:
    """A date in running text: 2026-11-23 or 23. november 2026."""
    if language == "en":
        return value.isoformat()
    return f"{value.day}. {MONTHS_DA[value.month - 1]} {value.year}"


def slashed(value: dt.date) -> str:
    """A date as the AI Office's template wants it: 23/11/2026."""
    return value.strftime("%d/%m/%Y")


def slashed_month(value: str) -> str:
    """An ISO date, month or year as month and year: 11/2026."""
    return "/".join(reversed(value.split("-")[:2]))


def escaped(text: str | None) -> str:
    """*text* as Markdown that shows it and nothing else."""
    one_line = " ".join((text or "").split())
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", one_line)


def table(donations: Iterable[Donation], language: Language) -> str:
    """A Markdown table of *donations*, with what the template asks of listed datasets."""
    columns = COLUMNS[language]
    lines = [_row(columns), _row(["---"] * len(columns))]
    for one in donations:
        register = one.register
        terms = register["licence"]
        if register["agreement"]:
            terms += f" ({register['agreement']})"
        links = [f"<{url}>" for url in register["source_urls"] or []]
        lines.append(
            _row(
                [
                    f"`{one.key}`",
                    escaped(register[f"title_{language}"]),
                    escaped(register["donor"]),
                    escaped(terms),
                    ", ".join(register["languages"]),
                    _period(register["content_start"], register["content_end"], language),
                    _period(register["collected_start"], register["collected_end"], language),
                    number(one.tokens, language),
                    " ".join(links) or NO_LINK[language],
                ]
            )
        )
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _period(start: str, end: str, language: Language) -> str:
    known = [UNKNOWN[language] if one == "unknown" else one for one in (start, end)]
    return known[0] if known[0] == known[1] else f" {TO[language]} ".join(known)


@cache
def environment(language: Language) -> jinja2.Environment:
    """Templates for text in *language*; a name that is not there is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=jinja2.select_autoescape(("html.j2",), default_for_string=False),
    )
    made.filters.update(
        number=lambda value: number(value, language),
        percent=lambda value: percent(value, language),
        day=lambda value: day(value, language),
        slashed=slashed,
        slashed_month=slashed_month,
        country=lambda code: danish.country(code, language),
        subject=lambda name: danish.subject(name, language),
        measure=lambda name: danish.measure(name, language),
        expected=lambda words: danish.expected(words, language),
        found=lambda value: danish.found_number(value, language),
        address_in=danish.address,
        md=escaped,
        html=html,
    )
    made.globals["table"] = table
    return made


def html(markdown: str) -> Markup:
    """*markdown* as HTML; HTML in it is shown, not interpreted. Headers of tables have a scope."""
    rendered = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return Markup(rendered.replace("<th>", '<th scope="col">'))


def page(template: str, language: Language, **context: Any) -> bytes:
    """The file *template* filled with *language* and *context*, in UTF-8."""
    filled = environment(language).get_template(template).render(language=language, **context)
    return filled.encode()


def with_front_matter(metadata: dict[str, Any], text: bytes) -> bytes:
    """A card of the Hugging Face hub: YAML between lines of dashes, then Markdown."""
    head = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{head}---\n".encode() + text
