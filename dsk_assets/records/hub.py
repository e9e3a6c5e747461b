"""The vocabulary of the Hugging Face hub: licences and sizes as cards name them."""

OTHER = "other"

CARD_SHARE = 0.01
"""Share of tokens from which a language stands in a card's front matter, where people filter."""

# fmt: off
_SAME = (
    "AFL-3.0", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Clear",
    "BSL-1.0", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-NC-2.0", "CC-BY-NC-3.0",
    "CC-BY-NC-4.0", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0",
    "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0",
    "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0", "EUPL-1.1", "EUPL-1.2", "ISC",
    "MIT", "MPL-2.0", "OFL-1.1", "PostgreSQL", "Unlicense", "Zlib", "etalab-2.0",
)
# fmt: on
LICENCES = {name: name.lower() for name in _SAME} | {
    "ODC-By-1.0": "odc-by",
    "ODbL-1.0": "odbl",
    "PDDL-1.0": "pddl",
}
"""The hub's name of a licence by its SPDX identifier
(https://huggingface.co/docs/hub/repositories-licenses)."""

SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")


def hub_licence(spdx: str) -> str:
    """The hub's name for a licence; ``other`` for agreements and what the hub has no name for."""
    return LICENCES.get(spdx, OTHER)


def size_category(documents: int) -> str:
    """The hub's size category, such as ``1K<n<10K``, for so many documents."""
    limit = 1000
    for smaller, larger in zip(("", *SIZES), SIZES, strict=False):
        if documents < limit:
            return f"{smaller}<n<{larger}" if smaller else f"n<{larger}"
        limit *= 10
    return f"n>{SIZES[-1]}"
