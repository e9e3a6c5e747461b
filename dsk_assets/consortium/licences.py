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
