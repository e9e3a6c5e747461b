"""Licences that a donation may name: SPDX expressions and the references registered here."""

from functools import cache

from license_expression import (
    ExpressionError,
    Licensing,
    build_spdx_licensing,
    get_license_index,
)

REGISTERED = {
    "LicenseRef-DSK-1": "the consortium's own terms: text for training only, never published",
    "LicenseRef-DK-Copyright-Act-9": "laws and public acts (Danish Copyright Act, section 9)",
    "LicenseRef-Public-Domain": "works whose protection has ended",
}
"""Licence references beside the SPDX list (https://spdx.org/licenses/), with their meaning."""


@cache
def _licensing() -> Licensing:
    registered = [{"spdx_license_key": name} for name in REGISTERED]
    return build_spdx_licensing([*get_license_index(), *registered])


def canonical_licence(expression: str) -> str:
    """*expression* in SPDX's own spelling (``cc-by-4.0 and mit`` → ``CC-BY-4.0 AND MIT``).

    Raises ``ValueError`` for a licence that is neither on the SPDX list nor registered here.
    """
    try:
        return str(_licensing().parse(expression, validate=True, strict=True).render())
    except (ExpressionError, AttributeError):
        raise ValueError(
            f"{expression!r} is not a known licence — use SPDX identifiers such as CC0-1.0 or "
            f"CC-BY-4.0, or one of {', '.join(REGISTERED)}"
        ) from None


OPEN = {
    name.lower(): name
    for name in (
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC-BY-4.0",
        "CC0-1.0",
        "MIT",
        "OpenMDW-1.0",
    )
}
"""Licences (SPDX) that let anyone use a model commercially and release what is derived from it
under another open licence. Share-alike and use-restricted licences (CC BY-SA, RAIL, Llama, Gemma)
do not."""


def open_licence(name: str) -> str | None:
    """The licence as SPDX writes it where principle 1 admits it for a model, else None."""
    return OPEN.get(name.lower())
