"""Addresses of machines: IP version 4 and 6, MAC; and geographical coordinates."""

import ipaddress
import re
from collections.abc import Iterator
from typing import ClassVar

from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit, explained

_V4 = re.compile(r"\d(?<![\w.]\d)\d{0,2}(?:\.\d{1,3}){3}(?![\w]|\.\d)(?::\d{2,5}(?![\w:]))?")
_V6 = re.compile(r"(?<![\w:.])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?![\w:])")
_MAC = re.compile(
    r"(?<![\w:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w])"
)
_DOTTED_MAC = re.compile(
    r"(?<![\w.])(?=[\d.]*[A-Fa-f])(?=[A-Fa-f.]*\d)[\dA-Fa-f]{4}\.[\dA-Fa-f]{4}\.[\dA-Fa-f]{4}(?!\w|\.\w)"
)
"""As network equipment prints it: ``001b.4411.3ab7``, with a digit and a letter at least."""
_MINUTES = (
    r"°\s?\d{1,2}(?:[.,]\d{2,6}\s?['′’]|\s?['′’]\s?\d{1,2}(?:[.,]\d{1,4})?\s?(?:[\"″”]|['′’]{2}))"
)
_DEGREES = re.compile(
    rf"(?:N\s?)?5(?<!\d5)[4-7]\s?{_MINUTES}\s?N?[,;]?\s{{0,2}}(?:[EØ]\s?)?(?:0?[789]|1[0-5])\s?{_MINUTES}"
    r"(?:\s?[EØ](?!\w))?"
)
_GEO = re.compile(
    r"5(?<![\d.,]5)[4-7](?P<mark>[.,])\d{4,8}°?\s?N?[,;]?\s{0,2}"
    r"(?:[789]|1[0-5])(?P=mark)\d{4,8}°?\s?[EØ]?(?![\d])"
)
_LABELLED_GEO = re.compile(
    r"(?<![^\W_])(?:lat(?:itude)?|lon(?:g(?:itude)?)?|lng|bredde(?:grad)?|længde(?:grad)?)"
    r"[\"']?\s?[:=]\s?[\"']?(?P<v>-?\d{1,3}[.,]\d{4,15})(?!\d)",
    re.IGNORECASE,
)
_IP = re.compile(r"\bip\b|ip-|adresse|login|log\b|klient|host|server", re.IGNORECASE)
_VERSION = re.compile(
    r"\bring|tlf|telefon|mobil|version|udgave|\bv\.?$|release|opdater|§|afsnit|punkt|pkt",
    re.IGNORECASE,
)


class NetworkIdRecognizer(DanishRecognizer):
    """IP addresses (RFC 791, RFC 4291), MAC addresses (IEEE 802) and coordinates in Denmark.

    An IP address is personal data when someone can tie it to a person (Court of Justice,
    C-582/14 Breyer). Loopback and unspecified addresses and netmasks lead to nobody. Four numbers
    after *version* are a version. Coordinates need four decimals (about ten metres), or minutes
    with seconds or two decimals.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("IP_ADDRESS", "MAC", "GEO")
    ANCHORS: ClassVar[tuple[str, ...]] = (
        r"\d\.\d{1,3}\.\d{1,3}\.\d",
        r"(?i):[0-9a-f]{0,4}:",
        r"(?i)[0-9a-f]{2}-[0-9a-f]{2}-[0-9a-f]{2}-",
        r"(?i)[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}",
        r"5[4-7][.,]\d{4}",
        r"(?i)(?:lat|lon|lng|bredde|længde)[a-z\"']{0,10}\s?[:=]",
        r"5[4-7]\s?°",
    )

    def find(self, text: str) -> Iterator[Hit]:
        """The addresses in *text*."""
        colons = text.count(":") + text.count("-") > 1
        for pattern in (_V4, _V6) if colons else (_V4,):
            for match in pattern.finditer(text):
                if _leads_somewhere(match.group()):
                    near = explained(text, match.start(), _IP, _VERSION, 30)
                    if near >= 0:
                        yield Hit("IP_ADDRESS", match.start(), match.end(), 0.7 + 0.2 * near)
        for match in _MAC.finditer(text) if colons else ():
            yield Hit("MAC", match.start(), match.end(), 0.9)
        for match in _DOTTED_MAC.finditer(text) if text.count(".") > 1 else ():
            yield Hit("MAC", match.start(), match.end(), 0.8)
        for match in _LABELLED_GEO.finditer(text):
            yield Hit("GEO", match.start("v"), match.end("v"), 0.7)
        for pattern in (_GEO, _DEGREES) if "°" in text else (_GEO,):
            for match in pattern.finditer(text):
                yield Hit("GEO", match.start(), match.end(), 0.7)


def _leads_somewhere(value: str) -> bool:
    try:
        address = ipaddress.ip_address(value.partition(":")[0] if "." in value else value)
    except ValueError:
        return False
    netmask = value.startswith("255.")
    return not (address.is_loopback or address.is_unspecified or netmask)
