"""``corpus.yaml`` of the consortium's folder: its tokenizer, its shards and its releases."""

from pathlib import Path

from pydantic import Field, model_validator

from dsk_assets.consortium.policy import Section
from dsk_assets.consortium.reading import read_config

FILE = "corpus.yaml"


class TokenizerConfig(Section):
    """The tokenizer of the corpus: trained on a sample of it, or given."""

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    """A new version makes a new tokenizer, and with it new shards of all donations."""
    vocab_size: int | None = Field(None, ge=512, le=2**20)
    """Tokens of a tokenizer to be trained."""
    sample_characters: int | None = Field(None, ge=1, le=10**10)
    """Characters that each donation gives at most to the sample a tokenizer is trained on."""
    given: str | None = None
    """A ``tokenizer.json`` to use instead, relative to the consortium's folder."""
    end_of_text: str = "<|endoftext|>"
    """The token that ends each document; a given tokenizer must have it."""

    @model_validator(mode="after")
    def _one_origin(self) -> "TokenizerConfig":
        trained = self.vocab_size is not None and self.sample_characters is not None
        touched = self.vocab_size is not None or self.sample_characters is not None
        if trained == (self.given is not None) or touched != trained:
            raise ValueError("needs either vocab_size and sample_characters, or given")
        return self


class ShardsConfig(Section):
    """How shards are cut."""

    target_tokens: int = Field(ge=1, le=2**31)
    """Tokens a shard holds at most, unless a single document has more."""


class CorpusConfig(Section):
    """The content of ``corpus.yaml``."""

    release: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """Name under which releases of the corpus are known."""
    tokenizer: TokenizerConfig
    shards: ShardsConfig


def load_corpus(consortium: Path) -> CorpusConfig:
    """The consortium's ``corpus.yaml``; :class:`SettingsError` where it cannot be used."""
    return read_config(consortium / FILE, CorpusConfig)
