"""The tokenizer: byte-level BPE over the kept documents of all admitted donations, or a given one.

All 256 bytes are in its alphabet and nothing is normalised, so no text is lost. Text is split
before merging as Llama 3 does it, without the English contractions: at most three digits stand in
a token, and a word takes the space before it (Sennrich et al. 2016, https://aclanthology.org/P16-1162;
Radford et al. 2019 for bytes as the alphabet).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from dsk_assets.corpus.config import TokenizerConfig, load_corpus
from dsk_assets.corpus.kept import KeptDocuments, kept_documents
from dsk_assets.corpus.lossless import loss
from dsk_assets.errors import MissingInputError, NotAdmittedError, SettingsError
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.gates.admitted import admitted_donations, require_admitted
from dsk_assets.lake.digests import sha256_file
from dsk_assets.lake.progress import track
from dsk_assets.lake.store import Zone

CODE_VERSION = "1"

FILE = "tokenizer.json"
CONFIG = "tokenizer_config.json"
PADDING = "<|padding|>"

WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""What merges may not reach across."""


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer made ready to encode documents."""

    tokenizer: Tokenizer
    end_of_text: int
    """The token that ends each document. Text never encodes to it, whatever it holds."""

    @cached_property
    def size(self) -> int:
        """One more than the highest number of a token; some below it may have none."""
        return 1 + max(self.tokenizer.get_vocab(with_added_tokens=True).values())

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest of little-endian uint16 and uint32 that holds every token."""
        return np.dtype("<u2") if self.size <= 2**16 else np.dtype("<u4")

    @property
    def by_words(self) -> bool:
        """Whether a text's tokens are those of the words (:data:`WORDS`) in it, one by one.

        So it is where nothing is normalised, words are split off and turned to bytes, and all
        tokens beside those of the model stand for something special, which no text is.
        """
        made = json.loads(self.tokenizer.to_str())
        return bool(
            made["normalizer"] is None
            and made["pre_tokenizer"] == json.loads(_untrained().to_str())["pre_tokenizer"]
            and all(token["special"] for token in made["added_tokens"])
        )

    def decode(self, tokens: NDArray[Any]) -> str:
        """The text of *tokens*, as it was."""
        return str(self.tokenizer.decode(tokens.tolist(), skip_special_tokens=False))


def tokenizer(catalog: Catalog) -> Snapshot:
    """The tokenizer of the corpus, made once for its configuration in ``corpus.yaml``.

    Files ``tokenizer.json`` and ``tokenizer_config.json``, as transformers reads them. Counts:
    ``vocabulary`` and, where it was trained, ``donations``, ``documents`` and ``characters`` of
    the sample. New donations do not train it anew. Raises :class:`NotAdmittedError` while there
    is no admitted donation to train on, and :class:`SettingsError` for a given tokenizer that
    loses text or lacks the end-of-text token.
    """
    config = load_corpus(catalog.settings.consortium).tokenizer
    if config.given is not None:
        return _given(catalog, config, catalog.settings.consortium / config.given)
    return _trained(catalog, config)


def vocabulary(snapshot: Snapshot) -> Vocabulary:
    """The tokenizer that a materialisation of ``corpus/tokenizer`` holds.

    Raises :class:`SettingsError` for one that loses text.
    """
    return _ready(snapshot.path(FILE), snapshot.json(CONFIG)["eos_token"])


def _given(catalog: Catalog, config: TokenizerConfig, path: Path) -> Snapshot:
    if not path.is_file():
        raise SettingsError(f"corpus.yaml: tokenizer.given is {config.given!r}: no such file")
    digest = sha256_file(path)

    def produce(out: Output) -> None:
        ready = _ready(path, config.end_of_text)
        _write(out, path.read_bytes(), config)
        out.count(vocabulary=ready.size)

    return catalog.materialise(
        "corpus/tokenizer",
        zone=Zone.CURATED,
        inputs=[Source(f"consortium/{config.given}", digest)],
        config=config.model_dump(mode="json") | {"sha256": digest},
        code_version=CODE_VERSION,
        produce=produce,
        frozen=True,
    )


def _trained(catalog: Catalog, config: TokenizerConfig) -> Snapshot:
    kept: list[KeptDocuments] = []
    inputs: list[Snapshot] = []
    for donation in admitted_donations(catalog):
        try:
            documents = kept_documents(catalog, donation)
        except MissingInputError:
            continue
        kept.append(documents)
        inputs += [*documents.inputs, require_admitted(catalog, donation)]
    if not kept:
        raise NotAdmittedError(
            "corpus/tokenizer has no text to be trained on: no donation is admitted and decided — "
            "materialise filtering/admitted and filtering/decisions first"
        )

    def produce(out: Output) -> None:
        sample = _Sample(kept, config.sample_characters or 0)
        trained = _train(config, sample)
        _write(out, trained.to_str(pretty=True).encode(), config)
        out.count(
            vocabulary=trained.get_vocab_size(with_added_tokens=True),
            donations=len(kept),
            documents=sample.documents,
            characters=sample.characters,
        )

    return catalog.materialise(
        "corpus/tokenizer",
        zone=Zone.CURATED,
        inputs=inputs,
        config=config.model_dump(mode="json"),
        code_version=CODE_VERSION,
        produce=produce,
        frozen=True,
    )


class _Sample:
    """The sample's texts, read once, counting what was read."""

    def __init__(self, kept: list[KeptDocuments], characters_each: int):
        self._kept = kept
        self._each = characters_each
        self.documents = 0
        self.characters = 0

    def __iter__(self) -> Iterator[str]:
        for donation in track(self._kept, "Sampling for the tokenizer", unit="donations"):
            left = self._each
            for _, text in donation.texts(characters=self._each):
                piece = text[:left]
                left -= len(piece)
                self.documents += 1
                self.characters += len(piece)
                yield piece


def _train(config: TokenizerConfig, sample: Iterable[str]) -> Tokenizer:
    made = _untrained()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size or 0,
        min_frequency=2,
        special_tokens=[config.end_of_text, PADDING],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(iter(sample), trainer)
    return made


def _untrained() -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    return made


def _ready(path: Path, end_of_text: str) -> Vocabulary:
    try:
        loaded = Tokenizer.from_str(path.read_text("utf-8"))
    except Exception as error:  # the library raises nothing more specific
        raise SettingsError(f"{path.name} is not a tokenizer that can be read: {error}") from None
    loaded.encode_special_tokens = True
    loaded.no_truncation()
    loaded.no_padding()
    if getattr(loaded.model, "dropout", None):
        raise SettingsError(
            f"{path.name} leaves out merges at random (dropout), so no text has the same tokens "
            "twice — set model.dropout to null in it"
        )
    if isinstance(loaded.normalizer, normalizers.NFC):
        loaded.normalizer = None  # documents are in NFC; a character that is not stays as it is
    lost = loss(loaded)
    if lost:
        raise SettingsError(
            f"corpus.yaml: the tokenizer {path.name} loses text: {lost} — give a byte-level BPE "
            "tokenizer that changes nothing, or have one trained (tokenizer.vocab_size)"
        )
    number = loaded.token_to_id(end_of_text)
    if number is None:
        raise SettingsError(
            f"corpus.yaml: tokenizer.end_of_text is {end_of_text!r}, which {path.name} does not "
            "have — name the token that ends a document there"
        )
    if number in loaded.encode(end_of_text, add_special_tokens=False).ids:
        raise SettingsError(
            f"corpus.yaml: tokenizer.end_of_text is {end_of_text!r}, which is an ordinary token in "
            f"{path.name}, so text could end a document — name one of its special tokens"
        )
    return Vocabulary(loaded, number)


def _write(out: Output, content: bytes, config: TokenizerConfig) -> None:
    with out.file(FILE) as path:
        path.write_bytes(content)
    padding = PADDING if config.given is None else config.end_of_text
    out.json(
        CONFIG,
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": config.end_of_text,
            "pad_token": padding,
            "clean_up_tokenization_spaces": False,
        },
    )
