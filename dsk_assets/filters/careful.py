"""The careful detector of languages, lingua, for what the fast one is unsure of.

Its models take 2 CPU seconds and 250 MB. Worker processes share them when the process that they
are forked from imports :mod:`dsk_assets.filters.models`, so nothing imported here may start a
thread: a forked process has none but its own.
"""

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lingua import LanguageDetector

UNDETERMINED = "und"
"""The code of ISO 639-2 for text in no language that can be told, such as a table of numbers."""

_CODES = ("DA", "NB", "NN", "SV", "IS", "DE", "EN", "NL", "FR")
_KNOWN = frozenset(code.lower() for code in _CODES)


def second_pass(text: str, first: str, confidence: float) -> tuple[str, float]:
    """The language of *text* and how sure that is, where the *first* guess is unsure."""
    best = _lingua().compute_language_confidence_values(text)[0]
    if best.value == 0 or (first != UNDETERMINED and first not in _KNOWN):
        return first, confidence
    language = best.language.iso_code_639_1.name.lower()
    if language == "is" and ("ø" in text or "Ø" in text) and not re.search("[þÞöÖ]", text):
        language = "fo"
    return language, best.value


def load() -> None:
    """Load all models now; a word of six letters that any language may have needs them all."""
    second_pass("hvoraf", UNDETERMINED, 0.0)


@cache
def _lingua() -> "LanguageDetector":
    """Models are loaded by the first piece that needs them."""
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    codes = [getattr(IsoCode639_1, code) for code in _CODES]
    return LanguageDetectorBuilder.from_iso_codes_639_1(*codes).build()
