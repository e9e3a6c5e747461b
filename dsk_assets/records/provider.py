"""``provider.yaml`` of the consortium's folder: what only people can say about a publication."""

import datetime as dt
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from dsk_assets.consortium.policy import Section
from dsk_assets.consortium.reading import read_config
from dsk_assets.settings import EU_COUNTRIES

FILE = "provider.yaml"


class Bilingual(Section):
    """A text in Danish and English."""

    da: str = Field(min_length=1)
    en: str = Field(min_length=1)


class ProviderContact(Section):
    """Where questions, complaints and withdrawals go: a role, not a person."""

    role: Bilingual
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    url: str = Field(pattern=r"^https://\S+$")


class ModelIdentity(Section):
    """How the model is published."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    licence: str = Field(min_length=1)
    """SPDX licence of the released weights."""
    model_repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    dataset_repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    union_market_date: dt.date | None
    """Day of placing on the Union market; null before that."""
    base_model_summary_url: str | None = Field(None, pattern=r"^https://\S+$")
    continuously_trained: bool


class OtherSources(Section):
    """What the provider declares not to have used beside donations (sections 2.2.1, 2.3 to 2.6).

    The summary answers these sections with "No". The platform has no assets for such data, so a
    provider that uses some cannot publish this summary of them.
    """

    commercial_licences: Literal[False]
    crawlers: Literal[False]
    user_data: Literal[False]
    synthetic_data: Literal[False]
    other: Literal[False]


class ProviderText(Section):
    """What the provider declares in words."""

    opt_out_measures: Bilingual
    illegal_content_measures: Bilingual


class Provider(Section):
    """The provider in the sense of the AI Act (Art. 3(3)): never inferred, always declared."""

    reviewed_on: dt.date
    """Day on which a person last went through the file."""
    legal_name: str = Field(min_length=2)
    address: str = Field(min_length=2)
    country: str = Field(pattern=r"^[A-Z]{2}$")
    contact: ProviderContact
    authorised_representative: str | None
    """Name and contact; needed, and allowed, only for a provider outside the EU (Art. 54)."""
    records_url: str = Field(pattern=r"^https://\S+$")
    announcements_url: str = Field(pattern=r"^https://\S+$")
    use_cases_url: str = Field(pattern=r"^https://\S+$")
    code_of_practice_signatory: bool
    copyright_policy_url: str = Field(pattern=r"^https://\S+$")
    large_dataset_share: float = Field(gt=0, lt=1)
    """Share of all public data from which a dataset is listed by name as large."""
    model: ModelIdentity
    other_sources: OtherSources
    text: ProviderText

    @model_validator(mode="after")
    def _represented(self) -> "Provider":
        if (self.country in EU_COUNTRIES) == (self.authorised_representative is not None):
            raise ValueError(
                "authorised_representative must be given exactly when country lies outside the EU"
            )
        return self


def load_provider(consortium: Path) -> Provider:
    """The consortium's ``provider.yaml``; ``SettingsError`` where it cannot be used."""
    return read_config(consortium / FILE, Provider)
