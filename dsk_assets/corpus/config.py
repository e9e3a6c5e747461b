"""``corpus.yaml`` of the consortium's folder: its tokenizer, its shards and its releases."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import Field, ValidationError, model_validator

from dsk_assets.consortium.policy import Section
from dsk_assets.errors import SettingsError

FILE = "corpus.yaml"

AnySection = TypeVar("AnySection", bound=Section)


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


def read_config(path: Path, kind: type[AnySection]) -> AnySection:
    """The YAML file *path* as a *kind*.

    Raises :class:`SettingsError` naming file, field and value: unknown fields are refused.
    """
    try:
        return kind.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except FileNotFoundError:
        raise SettingsError(
            f"{path.name} is not in {path.parent} — add it, or set DSK_CONSORTIUM to the folder "
            "that holds it"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise SettingsError(
            f"{path.name} is not readable YAML in UTF-8: {detail} — correct it"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "its content"
    wrong = first["msg"].removeprefix("Value error, ")
    value = "missing" if first["type"] == "missing" else repr(first["input"])
    raise SettingsError(f"{path.name}: {field} is {value}: {wrong} — correct it")
