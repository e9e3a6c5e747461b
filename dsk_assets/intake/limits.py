"""How large things may be before they are refused; part of what decides the documents."""

MB = 1024 * 1024
CHUNK = 64 * 1024
"""Bytes read at once."""
MAX_RECORD = 32 * MB
"""Longest line of JSON Lines, CSV cell or message of a mailbox (characters or bytes)."""
MAX_WHOLE = 256 * MB
"""Largest file of a format that is read whole."""
MAX_MEMBER = 256 * MB
"""Largest part of an office document."""
MAX_EXPANDED = 64 * 1024 * MB
"""Most bytes that one packed file may expand to."""
MAX_RATIO = 200
"""How many times packed bytes may expand, once they exceed ``RATIO_FROM`` …"""
RATIO_FROM = 64 * MB
"""… unpacked bytes."""
MAX_DEPTH = 3
"""Containers in containers: a mail in a mailbox in a ZIP, and no deeper."""


def megabytes(size: int) -> str:
    """*size* for a message."""
    return f"{size // MB} MB"


def as_config() -> dict[str, int]:
    """The limits that decide what is read, for the configuration of the stage."""
    return {
        "maxRecord": MAX_RECORD,
        "maxWhole": MAX_WHOLE,
        "maxMember": MAX_MEMBER,
        "maxExpanded": MAX_EXPANDED,
        "maxRatio": MAX_RATIO,
        "ratioFrom": RATIO_FROM,
        "maxDepth": MAX_DEPTH,
    }
