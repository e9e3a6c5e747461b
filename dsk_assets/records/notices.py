"""LICENSE and NOTICE of a released model: its terms, what it came from, and others' notices."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dsk_assets.errors import RecordError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.records.provider import load_provider
from dsk_assets.settings import PROJECT_ROOT
from dsk_assets.training.base_model import notices

LICENCE = "LICENSE"
NOTICE = "NOTICE"
OWN_TEXTS = {"Apache-2.0": PROJECT_ROOT / LICENCE}
"""Texts that the platform has; the consortium's folder holds that of another licence."""


def texts(
    catalog: Catalog, checkpoint: Mapping[str, Any], licences: Mapping[str, str | None]
) -> dict[str, bytes]:
    """The files ``LICENSE``, ``NOTICE`` and, from the base model's folder, ``base_model/…``.

    *checkpoint* is ``checkpoint.json``, *licences* those of weights, code and base model. Raises
    :class:`RecordError` where the text of the weights' licence is not there, and
    :class:`MissingInputError` where the base model's notices are not.
    """
    base = checkpoint["baseModel"]
    passed_on = {
        f"base_model/{name}": path.read_bytes() for name, path in notices(catalog, base).items()
    }
    provider = load_provider(catalog.settings.consortium)
    lines = [
        provider.model.name,
        f"Copyright {provider.legal_name}",
        "",
        f"Weights, configuration and tokenizer are licensed under {licences['weights']}; "
        f"its terms are in {LICENCE}.",
        f"They were made with dsk-assets, which is licensed under {licences['code']}.",
        f"The corpus is release {checkpoint['release']}. Which donations it was made of, by whom "
        "they were given and under which terms is in records/.",
    ]
    if base["name"]:
        revision = f", revision {base['revision']}" if base["revision"] else ""
        named = ", ".join(sorted(passed_on)) or "it came with none"
        lines.append(
            f"Training went on from {base['name']}{revision}, licensed under "
            f"{licences['baseModel']}; its notices: {named}."
        )
    notice = "".join(f"{line}\n" for line in lines).encode()
    return {LICENCE: _text(catalog, str(licences["weights"])), NOTICE: notice, **passed_on}


def _text(catalog: Catalog, licence: str) -> bytes:
    given = catalog.settings.consortium / LICENCE
    path: Path | None = given if given.is_file() else OWN_TEXTS.get(licence)
    if path is None or not path.is_file():
        raise RecordError(
            f"the text of {licence}, the licence of the weights, goes with the model — put it into "
            f"{given}"
        )
    return path.read_bytes()
