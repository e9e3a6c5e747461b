"""Named, versioned rule sets: which measure must stay within which bound, and who published it."""

from functools import cache
from importlib import resources
from typing import Annotated

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dsk_assets.consortium.policy import QualityPolicy
from dsk_assets.errors import SettingsError
from dsk_assets.filters.measures import MEASURES

_FOLDER = resources.files("dsk_assets.filters") / "rules"


class Rule(BaseModel):
    """One bound on one measure; a document that breaks it is dropped.

    ``id`` is the name that decisions and policies use. Exactly one of ``min`` and ``max`` is
    given, and a value equal to it is within the bound. ``en`` and ``da`` say what is wrong with a
    document that breaks it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern="^[a-z0-9-]+$")]
    measure: str
    min: float | None = None
    max: float | None = None
    source: str
    en: str
    da: str

    @model_validator(mode="after")
    def _check(self) -> "Rule":
        if self.measure not in MEASURES:
            raise ValueError(f"there is no measure {self.measure}")
        if (self.min is None) == (self.max is None):
            raise ValueError("one of min and max must be given")
        return self

    @property
    def threshold(self) -> float:
        """The bound."""
        return self.min if self.min is not None else self.max or 0.0

    def broken(self) -> pl.Expr:
        """Whether a row of measures breaks the rule; a missing measure does too."""
        value = pl.col(self.measure)
        within = value >= self.min if self.min is not None else value <= self.max
        return ~within.fill_null(False)


class RuleSet(BaseModel):
    """Rules in the order in which they judge: the first that is broken is the reason."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str
    rules: tuple[Rule, ...]


@cache
def load(name: str) -> RuleSet:
    """The rule set *name*; :class:`SettingsError` for an unknown one."""
    known = sorted(entry.name[:-5] for entry in _FOLDER.iterdir() if entry.name.endswith(".yaml"))
    if name not in known:
        raise SettingsError(
            f"there is no rule set {name!r} — name one of {', '.join(known)} in the policy"
        )
    return RuleSet.model_validate(yaml.safe_load((_FOLDER / f"{name}.yaml").read_text("utf-8")))


def for_policy(policy: QualityPolicy) -> RuleSet:
    """The rule set that *policy* names, without its disabled rules and with its own thresholds.

    Raises :class:`SettingsError` for a rule that the set does not have.
    """
    rules = load(policy.rules)
    ids = {rule.id for rule in rules.rules}
    for name in (*policy.disabled, *policy.thresholds):
        if name not in ids:
            raise SettingsError(
                f"rule set {policy.rules} has no rule {name!r} — "
                f"name one of {', '.join(sorted(ids))}"
            )
    chosen = [rule for rule in rules.rules if rule.id not in policy.disabled]
    return rules.model_copy(
        update={"rules": tuple(_bounded(rule, policy.thresholds.get(rule.id)) for rule in chosen)}
    )


def _bounded(rule: Rule, threshold: float | None) -> Rule:
    if threshold is None:
        return rule
    return rule.model_copy(update={"min" if rule.min is not None else "max": threshold})
