"""All stages in the order in which data flow."""

from pathlib import Path

from dsk_assets.consortium.policy import Unreadable, all_policies
from dsk_assets.defs.consortium import assets as consortium
from dsk_assets.defs.corpus import assets as corpus
from dsk_assets.defs.donations import assets as donations
from dsk_assets.defs.filtering import assets as filtering
from dsk_assets.defs.stage import Due, Stage
from dsk_assets.defs.training import assets as training
from dsk_assets.defs.transparency import assets as transparency
from dsk_assets.errors import CorruptedError, SettingsError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.filters.ruleset import for_policy
from dsk_assets.privacy.redact import check

BEFORE_WAREHOUSE: tuple[Stage, ...] = (
    consortium.MEMBERS,
    consortium.AGREEMENTS,
    consortium.USE_CASES,
    donations.LANDING,
    donations.DOCUMENTS,
    filtering.LANGUAGE,
    filtering.RECALL,
    filtering.PERSONAL_DATA,
    filtering.REVIEW,
    filtering.QUALITY,
    filtering.SIGNATURES,
    filtering.CONTAMINATION,
    filtering.ADMITTED,
    filtering.DUPLICATES,
    filtering.DECISIONS,
    corpus.TOKENIZER,
    corpus.SHARDS,
    corpus.RELEASE_OF_CORPUS,
    training.BASE_MODEL,
    training.RUN,
    training.CHECKPOINTS,
    training.EVALUATION,
)
AFTER_WAREHOUSE: tuple[Stage, ...] = (transparency.VERIFICATION, transparency.RECORDS)
STAGES = BEFORE_WAREHOUSE + AFTER_WAREHOUSE


def stale(catalog: Catalog) -> list[Due]:
    """What a nightly run would make, as far as it can be known now.

    Asks each stage in order, which writes nothing. What lies behind something stale is not
    named: whether it changes is only known when the stale part has been made.
    """
    found = [due for stage in STAGES for due in _stale(stage, catalog)]
    return found + (
        [Due("transparency/warehouse")] if transparency.warehouse_stale(catalog) else []
    )


def _stale(stage: Stage, catalog: Catalog) -> list[Due]:
    """What of *stage* is stale; all of it where damage hides which keys there are."""
    try:
        keys = stage.wanted(catalog)
    except CorruptedError:
        return [Due(stage.asset)]
    return [due for key in keys if (due := stage.stale(catalog, key))]


def broken_policies(consortium: Path) -> list[str]:
    """Why policies in the folder *consortium* cannot be followed, a message for each of them."""
    wrong = []
    for policy in all_policies(consortium):
        try:
            if isinstance(policy, Unreadable):
                raise policy.error
            check(policy.personal_data, f"policy {policy.name}")
            for_policy(policy.quality)
        except SettingsError as error:
            wrong.append(str(error))
    return wrong
