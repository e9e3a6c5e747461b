"""Policies: how a donation's text is judged, one YAML file each, chosen by donation.

A policy names the donations it applies to; the one named ``default`` applies to all others. Each
section is the configuration of one asset, so a changed section makes just that asset stale.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dsk_assets.consortium.reading import read_config, read_yaml
from dsk_assets.errors import SettingsError


class Section(BaseModel):
    """A part of a policy; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NormalisationPolicy(Section):
    """What is repaired in delivered text; line ends, control characters and NFC always are."""

    mojibake: bool = True
    """Text that was decoded by the wrong table."""
    hyphenation: bool = False
    """Words divided at line ends are joined: for text that was read from scans."""


class LanguagePolicy(Section):
    """Which languages a document may have (ISO 639-1 codes)."""

    accept: tuple[str, ...] = ("da",)
    confusable: tuple[str, ...] = ("nb", "nn", "sv")
    """Accepted too where a document has fewer than ``confusable_below`` characters."""
    confusable_below: int = 200
    min_share: float = Field(0.5, ge=0, le=1)
    """Least share of a document's letters that must stand in accepted paragraphs."""


class Kept(Section):
    """Personal data that may stay: the name of one person, or a whole type such as ``PERSON``.

    ``role`` says why a person may stay: authors of published works, judges and lawyers who act in
    that role (the exceptions of Domsdatabasen), and the dead of more than ten years (Danish Data
    Protection Act § 2(5)) or characters of fiction, whom the law does not protect. Never direct
    identifiers.
    """

    name: str | None = Field(None, min_length=2)
    entity: str | None = None
    role: Literal["author", "judge", "lawyer", "deceased", "fictional", "public-body"]
    provenance: str = Field(min_length=8)
    """Where it is seen that this may stay: a catalogue record, a public register, a statute."""

    @model_validator(mode="after")
    def _either(self) -> "Kept":
        if (self.name is None) == (self.entity is None):
            raise ValueError("name either a person or an entity type, not both")
        return self

    @property
    def is_protected(self) -> bool:
        """Whether the law protects those who stay: they live, or died less than ten years ago."""
        return self.role in ("author", "judge", "lawyer")


class PersonalDataPolicy(Section):
    """What happens with findings of personal data."""

    actions: dict[str, Literal["placeholder", "pseudonym", "generalise"]] = {}
    """Action by entity type, ``placeholder`` where none is named."""
    keep: tuple[Kept, ...] = ()
    """What may stay, with the reason."""
    max_density: float = Field(10.0, gt=0, allow_inf_nan=False)
    """Direct identifiers a thousand words above which a document is withheld."""
    min_score: float = Field(0.35, ge=0, le=1)


REVIEWERS = ("data-protection-officer", "curator", "donor", "auditor")
"""Parts that the reader of a review may play; a name is never recorded."""


class ResidualRiskPolicy(Section):
    """How much a review may leave open."""

    max_leaks: float = Field(250.0, gt=0, allow_inf_nan=False)
    """Highest upper bound (95 %) on leaks for each 100,000 words that admits a reviewed donation.
    """


class QualityPolicy(Section):
    """Which rule set judges a document, and which of its rules are left out."""

    rules: str = "danish-prose-v1"
    disabled: tuple[str, ...] = ()
    thresholds: dict[str, float] = {}
    """Other thresholds than the rule set's own, by rule."""


class DecontaminationPolicy(Section):
    """How much a document may have in common with the texts of evaluation sets."""

    max_overlaps: int = Field(0, ge=0)
    """Most sequences of 13 words that may stand in an evaluation set."""


class DuplicatesPolicy(Section):
    """Which duplicates are dropped or cut.

    Line by line only if asked, among the documents of all donations whose policy asks. Not for law
    and other texts that repeat what they mean.
    """

    exact: bool = True
    near: bool = True
    cut_repeated_lines: bool = False
    """Lines that stand in another document too are left in one of them alone."""
    max_repeated_lines: float | None = Field(None, ge=0, le=1)
    """The largest share of a document's characters that may stand in lines of others; with
    ``cut_repeated_lines`` 0.9 where none is given."""

    @property
    def most_repeated_lines(self) -> float | None:
        """The bound on the share of repeated lines; None where they are not looked for."""
        if self.max_repeated_lines is None and self.cut_repeated_lines:
            return 0.9
        return self.max_repeated_lines


class Policy(Section):
    """How one kind of donation is judged."""

    name: str
    version: str
    applies_to: tuple[str, ...] = ()
    normalisation: NormalisationPolicy = NormalisationPolicy()
    language: LanguagePolicy = LanguagePolicy()
    personal_data: PersonalDataPolicy = PersonalDataPolicy()
    residual_risk: ResidualRiskPolicy = ResidualRiskPolicy()
    quality: QualityPolicy = QualityPolicy()
    decontamination: DecontaminationPolicy = DecontaminationPolicy()
    duplicates: DuplicatesPolicy = DuplicatesPolicy()
    weight: float = Field(1.0, gt=0, allow_inf_nan=False)
    """How often the donation's documents are read in one pass over a corpus release."""


@dataclass(frozen=True)
class Unreadable:
    """A policy that cannot be followed, for the reason in ``error``.

    ``applies_to`` is None where that cannot be trusted either: then it may be meant for any
    donation.
    """

    name: str | None
    applies_to: tuple[str, ...] | None
    error: SettingsError


def all_policies(consortium: Path) -> list[Policy | Unreadable]:
    """What lies in ``policies/*.yaml`` of the consortium's folder, ``default`` first."""
    paths = sorted((consortium / "policies").glob("*.yaml"))
    return sorted(map(_attempt, paths), key=lambda policy: policy.name != "default")


def _attempt(path: Path) -> Policy | Unreadable:
    try:
        return read_policy(path)
    except SettingsError as error:
        wrong = error
    try:
        content = read_yaml(path)
    except SettingsError:
        content = None
    content = content if isinstance(content, dict) else {}
    name, named = content.get("name"), content.get("applies_to")
    trusted: tuple[str, ...] | None = None
    if isinstance(named, list) and all(isinstance(one, str) for one in named):
        trusted = tuple(named)
    elif named is None and name == "default":
        trusted = ()
    return Unreadable(str(name) if name else None, trusted, wrong)


def load_policies(consortium: Path) -> list[Policy]:
    """The policies in ``policies/*.yaml`` of the consortium's folder, ``default`` first.

    Raises :class:`SettingsError` for a missing default, an unknown field or a donation that two
    policies name.
    """
    policies = []
    for policy in all_policies(consortium):
        if isinstance(policy, Unreadable):
            raise policy.error
        policies.append(policy)
    if not policies or policies[0].name != "default":
        raise _no_default(consortium)
    named = Counter(donation for policy in policies for donation in policy.applies_to)
    for donation, times in named.items():
        if times > 1:
            raise _named_twice(donation)
    return policies


def _no_default(consortium: Path) -> SettingsError:
    return SettingsError(
        f"{consortium}/policies has no policy named default — add policies/default.yaml"
    )


def _named_twice(donation: str) -> SettingsError:
    return SettingsError(f"two policies name donation {donation} — leave it in one of them")


def read_policy(path: Path) -> Policy:
    """The policy in the file *path*; :class:`SettingsError` where it cannot be read."""
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise SettingsError(f"the policy {path} cannot be read: {error.strerror}") from None


@lru_cache(maxsize=256)
def _read(path: Path, modified: int) -> Policy:
    """One policy file; read again when it was *modified* since."""
    return read_config(path, Policy)


def policy_for(consortium: Path, donation_id: str) -> Policy:
    """The policy of a donation: the one that names it, or else the one named ``default``.

    Raises :class:`SettingsError` where that cannot be followed, where one that cannot be read may
    be meant for it, and where two name it. Mistakes in other donations' policies do not matter.
    """
    policies = all_policies(consortium)
    named = [policy for policy in policies if donation_id in (policy.applies_to or ())]
    if len(named) > 1:
        raise _named_twice(donation_id)
    unknown = [policy for policy in policies if policy.applies_to is None]
    default = [policy for policy in policies if policy.name == "default"]
    for policy in named or [*unknown, *default]:
        if isinstance(policy, Unreadable):
            raise policy.error
        return policy
    raise _no_default(consortium)
