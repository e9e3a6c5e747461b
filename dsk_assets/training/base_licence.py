"""What a base model's own files say of its licence: the card's header and the licence files.

``training.yaml`` says under which licence the consortium takes the model. Whoever published it
decides that, so a model whose files say another one, or none, is not trained from.
"""

from pathlib import Path

from dsk_assets.consortium.licences import open_licence
from dsk_assets.errors import SettingsError

CARD = "README.md"
LICENCES = ("LICENSE", "LICENCE", "COPYING")
"""How the names of licence files begin, in capitals."""

WORDS = {
    "Apache-2.0": ("apache license version 2.0, january 2004",),
    "BSD-2-Clause": ("redistribution and use in source and binary forms",),
    "BSD-3-Clause": ("redistribution and use in source and binary forms", "neither the name"),
    "CC-BY-4.0": ("creative commons attribution 4.0 international public license",),
    "CC0-1.0": ("cc0 1.0 universal",),
    "MIT": (
        "permission is hereby granted, free of charge, to any person obtaining a copy of this "
        "software and associated documentation files",
    ),
    "OpenMDW-1.0": ("openmdw license agreement, version 1.0",),
}
"""Words that the text of each open licence holds, in small letters."""


def said_in(folder: Path, name: str, licence: str) -> list[str]:
    """The files of base model *name* in *folder* that say *licence* (SPDX).

    These are the card (``license`` in its header, as the Hugging Face hub reads it) and the files
    that are called a licence. Raises :class:`SettingsError` where one of them says another licence
    or cannot be read, and where none says one.
    """
    found = []
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        if path.name == CARD:
            said = _card(path)
        elif path.name.upper().startswith(LICENCES):
            said = [_text(path)]
        else:
            continue
        for one in said:
            if open_licence(one) != licence:
                raise SettingsError(
                    f"training.yaml: base_model.licence is {licence}, but {path.name} of {name} "
                    f"says {one!r} — what its publisher says counts: find out which it is, and "
                    "choose another model where it is not open"
                )
        found += [path.name] * bool(said)
    if not found:
        raise SettingsError(
            f"training.yaml: base_model.licence is {licence}, but no file of {name} says so: there "
            f"is no licence file, and no license in the header of {CARD} — ask its publisher, and "
            "put the LICENSE into the folder of the model"
        )
    return found


def _card(path: Path) -> list[str]:
    """The licences that a model card names, one as a rule."""
    from huggingface_hub import metadata_load

    try:
        header = metadata_load(path) or {}
    except Exception as error:  # the library lets those of its YAML parser through
        raise SettingsError(
            f"the header of base model card {path} cannot be read: {type(error).__name__} — "
            "correct its YAML"
        ) from None
    said, other = header.get("license") or [], header.get("license_name") or "other"
    return [
        str(other if one == "other" else one)
        for one in (said if isinstance(said, list) else [said])
    ]


def _text(path: Path) -> str:
    """The licence that a file holds the text of, else how it begins."""
    text = " ".join(path.read_text("utf-8", errors="replace").split())
    holds = [one for one, words in WORDS.items() if all(word in text.lower() for word in words)]
    return holds[-1] if holds else f"{text[:60]}…"
