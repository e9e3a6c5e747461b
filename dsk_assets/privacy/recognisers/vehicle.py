"""Number plates and vehicle identification numbers."""

import re
from collections.abc import Iterator
from typing import ClassVar

from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit, explained

_PLATE = re.compile(r"(?<![\w-])[A-ZÆØÅ]{2}(?P<a>[ ]?)\d\d(?P<b>[ .]?)\d{3}(?![\w])(?![.,-]\d)")
_SMALL = re.compile(r"(?<![\w-])[A-ZÆØÅ]{2} ?\d{3,4}(?![\w]| ?\d)(?![.,-]\d)")
_LOWER = re.compile(r"(?<![\w-])[a-zæøå]{2}\d\d ?\d{3}(?![\w])(?![.,-]\d)")
_WISHED = re.compile(
    r"(?i:nummerplade\w{0,3}|\bplade\w{0,3})(?: er| var|:)* "
    r"(?P<v>(?=\w*[A-ZÆØÅ]{2})[A-ZÆØÅ\d]{3,7})(?!\w)"
)
_POSITIVE = re.compile(
    r"\bbil\b|bilen|\breg\.? ?n|registrerings|nummerplade|køretøj|kørte|parker|trailer|kendemærke"
    r"|motorcykel|knallert|varevogn|personbil|påkørt|påkører|\bplade|stelnummer",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"vare-?n|ordre|faktura|model|type|serie|ref|sag|j\.?nr|art\.|\biso\b|\bds\b|\ben\b|matr|konto"
    r"|police|kunde|postnr",
    re.IGNORECASE,
)
_VIN = re.compile(r"(?<![\w])(?=[A-Z0-9]*\d)(?=[A-Z0-9]*[A-Z])[A-HJ-NPR-Z0-9]{17}(?![\w])")
_VIN_WORDS = re.compile(r"stel|\bvin\b|chassis", re.IGNORECASE)


class PlateRecognizer(DanishRecognizer):
    """Danish plates: two letters and five digits (``AB 12 345``); VIN after a word for it.

    Sources: nrpl.dk; ISO 3779 for the 17 characters of a VIN (no I, O, Q). Two letters and five
    digits (four for trailers, three for tractors) are also the form of article numbers, so a
    plate written without its two spaces, or with fewer digits, needs an explaining word, and other
    words veto. A plate in lower case, or one of the owner's wish, needs a word for
    it. Patterns distinguish case: in *af 12 345* the letters are a word.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("DK_LICENSE_PLATE", "VIN")
    ANCHORS: ClassVar[tuple[str, ...]] = (
        r"[A-ZÆØÅ]{2} ?\d\d[ .]?\d",
        r"(?i)plade[a-z]{0,3}(?: er| var|:){0,2} [a-zæøå\d]{3}",
        r"(?:^|[^a-zæøå])[a-zæøå]{2}\d\d ?\d{3}",
        r"[A-HJ-NPR-Z0-9]{17}",
    )
    COUNTRY_CODE: ClassVar[str] = "dk"

    def find(self, text: str) -> Iterator[Hit]:
        """The plates and VINs in *text*."""
        for match in _PLATE.finditer(text):
            near = explained(text, match.start(), _POSITIVE, _NEGATIVE)
            spaced = match["a"] and match["b"]
            if near == 1 or (near == 0 and spaced):
                yield Hit("DK_LICENSE_PLATE", match.start(), match.end(), 0.85 if near else 0.5)
        for match in _SMALL.finditer(text):
            if explained(text, match.start(), _POSITIVE, _NEGATIVE) == 1:
                yield Hit("DK_LICENSE_PLATE", match.start(), match.end(), 0.75)
        for match in _LOWER.finditer(text):
            if explained(text, match.start(), _POSITIVE, _NEGATIVE, 30) == 1:
                yield Hit("DK_LICENSE_PLATE", match.start(), match.end(), 0.7)
        for match in _WISHED.finditer(text):
            yield Hit("DK_LICENSE_PLATE", match.start("v"), match.end("v"), 0.7)
        for match in _VIN.finditer(text):
            if explained(text, match.start(), _VIN_WORDS) == 1:
                yield Hit("VIN", match.start(), match.end(), 0.85)
