"""The donation manifest ``donation.yaml``: who gives what, on which terms, in which files.

Manifest version 0.1. Every field, value and rule is checked when the manifest is read
(:mod:`dsk_assets.intake.manifest_file`). What depends on the day (an approval that has expired)
or on other records (agreements) is for the gate ``approval`` to judge.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from dsk_assets.intake.fields import (
    Cvr,
    Day,
    Email,
    EuCountry,
    LanguageTag,
    Licence,
    PartialDate,
    RelativePath,
    Sha256,
    StorageRegion,
    Supersedes,
    Text,
    Url,
    first_day,
    last_day,
)


class Section(BaseModel):
    """A part of the manifest; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    def problems(self) -> Iterator[str]:
        """What is wrong with the section's fields taken together."""
        yield from ()

    @model_validator(mode="after")
    def _whole(self) -> "Section":
        found = list(self.problems())
        if found:
            raise ValueError("\n".join(found))
        return self


class Bilingual(Section):
    """A text in Danish and English."""

    da: Text
    en: Text


class Contact(Section):
    """Whom to write to at the donor: a role, and if need be a person."""

    role: Literal["data-owner", "data-steward", "legal", "dpo", "technical"]
    name: str | None = None
    email: Email


class Donor(Section):
    """The organisation that gives."""

    legal_name: Annotated[str, StringConstraints(min_length=2)]
    cvr: Cvr
    url: Url | None = None
    sector: Literal["public", "private", "association", "research"]
    gdpr_role: Literal["controller", "joint-controller", "processor", "none"] | None = None
    contact: Contact
    dpo_email: Email | None = None
    consortium_member: bool | None = None


class Holder(Section):
    """Who holds the rights, and how the donor stands to them."""

    name: str
    cvr: Cvr | None = None
    relation: Literal[
        "donor-is-rightsholder",
        "donor-authorised-by-rightsholder",
        "public-domain",
        "statutory-public-material",
        "tdm-exception",
    ]


class Evidence(Section):
    """A paper that shows the approval, and its digest."""

    kind: Literal["signed-agreement", "email", "public-licence-page", "board-decision", "statute"]
    reference: str
    sha256: Sha256


Scope = Literal[
    "pre-training", "alignment", "evaluation", "quality-assurance", "synthetic-data-generation"
]


class Approval(Section):
    """Who approved the use, when, until when and for what."""

    evidence: Annotated[tuple[Evidence, ...], Field(min_length=1)]
    approved_on: Day
    expires_on: Day | None = None
    approved_by_role: str
    scope: Annotated[tuple[Scope, ...], Field(min_length=1)]

    def problems(self) -> Iterator[str]:
        if len(set(self.scope)) < len(self.scope):
            yield "scope: names a use twice — name each once"
        if self.expires_on is not None and self.expires_on < self.approved_on:
            yield (
                f"expires_on: {self.expires_on} lies before approved_on {self.approved_on} — "
                "correct one of them"
            )


class Rights(Section):
    """On which terms the text is given."""

    holder: Holder
    approval: Approval
    licence_spdx: Licence | None = None
    agreement_ref: Annotated[str, StringConstraints(min_length=2)] | None = None
    copyright_notice: tuple[str, ...] | None = None
    open_source_wish: Literal["open-source", "closed", "decide-later"]
    attribution: str | None = None

    def problems(self) -> Iterator[str]:
        if self.licence_spdx is None and self.agreement_ref is None:
            yield (
                "licence_spdx: neither it nor agreement_ref is given — name the licence, or the "
                "agreement that the use rests on"
            )
        elif self.open_source_wish == "open-source" and self.licence_spdx is None:
            yield (
                "licence_spdx: is missing although open_source_wish is 'open-source' — name the "
                "open licence, or write 'closed' or 'decide-later'"
            )


class Period(Section):
    """When the content was written and when it was collected: a day, month, year or unknown."""

    content_start: PartialDate
    content_end: PartialDate
    collected_start: PartialDate
    collected_end: PartialDate

    def problems(self) -> Iterator[str]:
        for name in ("content", "collected"):
            start, end = getattr(self, f"{name}_start"), getattr(self, f"{name}_end")
            if "unknown" not in (start, end) and first_day(start) > last_day(end):
                yield f"{name}_end: {end} lies before {name}_start {start} — correct one of them"


class Synthetic(BaseModel):
    """Whether models made some of the content, and which."""

    model_config = ConfigDict(frozen=True, extra="allow")

    used: bool
    models: tuple[str, ...] | None = None


GenerationMethod = Literal[
    "data-augmentation",
    "data-mining",
    "feeds",
    "machine-generated-ml-ops",
    "other",
    "primary-user-source",
    "simulations",
    "social-media",
    "syndication",
    "transfer-learning",
    "user-generated-content",
    "web-scraping-crawling",
]


class Provenance(Section):
    """Where the content comes from (codes of the OASIS Data Provenance Standard)."""

    generation_method: Annotated[tuple[GenerationMethod, ...], Field(min_length=1)]
    origin: str
    source_urls: tuple[Url, ...] | None = None
    synthetic: Synthetic | None = None


class Dataset(Section):
    """What the donation holds."""

    title: Bilingual
    description: Bilingual
    languages: Annotated[tuple[LanguageTag, ...], Field(min_length=1)]
    modality: Annotated[
        tuple[Literal["text", "image", "audio", "video", "other"], ...], Field(min_length=1)
    ]
    content_types: Annotated[tuple[str, ...], Field(min_length=1)]
    domain: tuple[str, ...] | None = None
    period: Period
    geography: tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...] | None = None
    provenance: Provenance
    known_limitations: str | None = None


class Purpose(Section):
    """The one purpose for which donations are taken (GDPR Art. 5(1)(b))."""

    code: Literal["urn:dsk:purpose:danish-language-model-development"]
    text: Bilingual
    other_uses_prohibited: Literal[True]


Category = Literal[
    "NonPersonalData",
    "GeneralPersonalData",
    "SensitivePersonalData",
    "CivilRegistrationNumberData",
    "DataAboutCriminalOffences",
]


class PersonalData(Section):
    """Whether personal data is to be expected, and on what basis it may be handled."""

    expected: bool
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    data_subjects: tuple[str, ...] | None = None
    legal_basis: (
        tuple[Literal["A6-1-a", "A6-1-b", "A6-1-c", "A6-1-d", "A6-1-e", "A6-1-f"], ...] | None
    ) = None
    legal_basis_special: tuple[Literal["A9-2-a", "A9-2-e", "A9-2-g", "A9-2-j"], ...] | None = None
    national_basis: str | None = None
    dpa_ref: str | None = None
    dpia_ref: str | None = None
    art14_notice: Url | None = None
    donor_prefiltered: bool | None = None
    retention_raw_until: Day | None = None
    retention_raw_event: Literal["after-filtering", "after-release", "agreement-end"] | None = None

    def problems(self) -> Iterator[str]:
        categories = set(self.categories)
        if len(categories) < len(self.categories):
            yield "categories: names a category twice — name each once"
        if not self.expected and categories != {"NonPersonalData"}:
            yield (
                "categories: must be [NonPersonalData] where expected is false — correct one of "
                "the two"
            )
        if self.expected:
            yield from self._expected(categories)
        if "SensitivePersonalData" in categories:
            yield from self._missing("SensitivePersonalData", "legal_basis_special", "dpia_ref")
        for category in ("CivilRegistrationNumberData", "DataAboutCriminalOffences"):
            if category in categories:
                yield from self._missing(category, "national_basis")

    def _expected(self, categories: set[Category]) -> Iterator[str]:
        if "NonPersonalData" in categories:
            yield (
                "categories: holds NonPersonalData although expected is true — name the kinds of "
                "personal data"
            )
        yield from self._missing("expected: true", "legal_basis", "data_subjects", "dpa_ref")
        if self.retention_raw_until is None and self.retention_raw_event is None:
            yield (
                "retention_raw_until: neither it nor retention_raw_event is given — say until "
                "when the raw text may be kept"
            )

    def _missing(self, because: str, *fields: str) -> Iterator[str]:
        for field in fields:
            if not getattr(self, field):
                yield f"{field}: is missing, and {because} demands it — add it"


class Storage(Section):
    """Where the donation may be kept: inside the EU (not the EEA), encrypted at rest."""

    allowed_countries: Annotated[tuple[EuCountry, ...], Field(min_length=1)]
    region: StorageRegion
    encryption_at_rest: Literal[True]
    confidentiality: Literal["Public", "Restricted", "Confidential"] | None = None

    def problems(self) -> Iterator[str]:
        if len(set(self.allowed_countries)) < len(self.allowed_countries):
            yield "allowed_countries: names a country twice — name each once"


class FileEntry(Section):
    """One file of the donation, as delivered."""

    path: RelativePath
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]
    media_type: Text
    records: Annotated[int, Field(ge=0)] | None = None
    compression: Literal["none", "gzip", "zstd"] | None = None


class OptOut(Section):
    """Whether rights were reserved against mining (DSM Directive Art. 4(3)), and who looked."""

    status: Literal[
        "not-applicable-private", "no-reservation-found", "reserved-but-licensed", "reserved"
    ]
    protocols: (
        tuple[
            Literal[
                "robots.txt", "ai.txt", "tdmrep", "html-meta", "terms-of-service", "aipref", "c2pa"
            ],
            ...,
        ]
        | None
    ) = None
    checked_on: Day
    evidence: str | None = None

    def problems(self) -> Iterator[str]:
        if self.status == "reserved":
            yield (
                "status: is 'reserved': the rights holder has opted out of text and data mining — "
                "obtain a licence and write 'reserved-but-licensed', or do not donate this text"
            )


class Withdrawal(Section):
    """How the donor takes the donation back."""

    contact: Email
    notice_days: Annotated[int, Field(ge=0)]
    effect: Literal["remove-from-future-mixes", "remove-and-retrain", "delete-raw-only"] | None = (
        None
    )
    withdrawn_on: Day | None = None


class Declaration(Section):
    """The donor's word that the consortium's principles are met."""

    principles_version: str
    declared_on: Day
    declared_by: str


class Manifest(Section):
    """A donation's manifest. ``key`` names this version of the donation everywhere."""

    manifest_version: Literal["0.1"]
    donation_id: Annotated[str, Field(pattern=r"^dsk-[0-9]{4}-[0-9]{4,6}$")]
    version: Annotated[str, Field(pattern=r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}$")]
    supersedes: Supersedes | None = None
    received: Day | None = None
    donor: Donor
    rights: Rights
    dataset: Dataset
    purpose: Purpose
    personal_data: PersonalData
    storage: Storage
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1)]
    opt_out: OptOut
    withdrawal: Withdrawal
    declaration: Declaration

    def problems(self) -> Iterator[str]:
        for path, times in Counter(file.path for file in self.files).items():
            if times > 1:
                yield f"files: {path!r} is listed {times} times — list each file once"

    @property
    def key(self) -> str:
        """``<donation_id>@<version>``: the partition under which the donation is kept."""
        return f"{self.donation_id}@{self.version}"

    def as_json(self) -> dict[str, Any]:
        """The manifest as JSON, without the fields that were not given."""
        return self.model_dump(mode="json", exclude_none=True)
