"""Names of people by a better model that the operator has in a folder."""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from dsk_assets.errors import SettingsError
from dsk_assets.privacy.gazetteer import is_public_figure
from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit

_PERSON = frozenset(("PER", "PERSON"))
_SCORE = 0.85
_PART = re.compile(r"\S[\s\S]{0,600}(?=\s|\Z)|\S+")
"""What a model reads at once: whole words, well below the length that models cut texts at."""


class FolderNameRecognizer(DanishRecognizer):
    """Names that a spaCy pipeline or a transformers token classifier finds.

    *folder* is that of ``Language.to_disk`` (with ``config.cfg``) or ``save_pretrained`` (with
    ``config.json``), such as da_core_news_lg, DaCy or ScandiNER. It is read from disk alone: never
    a name that would be downloaded. Labels PER and PERSON count.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("PERSON",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not any((folder / name).is_file() for name in ("config.cfg", "config.json")):
            raise SettingsError(
                f"{folder} holds no spaCy pipeline (config.cfg) and no transformers model "
                "(config.json) — set DSK_NAME_ENGINE to the folder of one"
            )
        super().__init__()

    @cached_property
    def _model(self) -> Any:
        if (self._folder / "config.cfg").is_file():
            import spacy

            return spacy.load(self._folder)
        from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

        folder = str(self._folder)
        return pipeline(
            "token-classification",
            model=AutoModelForTokenClassification.from_pretrained(folder, local_files_only=True),
            tokenizer=AutoTokenizer.from_pretrained(folder, local_files_only=True),
            aggregation_strategy="simple",
        )

    def find(self, text: str) -> Iterator[Hit]:
        """The names in *text*."""
        for part in _PART.finditer(text):
            for start, end in self._persons(part.group()):
                start, end = start + part.start(), end + part.start()
                if start < end and not is_public_figure(text, start, end):
                    yield Hit("PERSON", start, end, _SCORE)

    def _persons(self, part: str) -> Iterator[tuple[int, int]]:
        if (self._folder / "config.cfg").is_file():
            for entity in self._model(part).ents:
                if entity.label_ in _PERSON:
                    yield entity.start_char, entity.end_char
        else:
            for entity in self._model(part):
                if entity["entity_group"] in _PERSON:
                    yield int(entity["start"]), int(entity["end"])
