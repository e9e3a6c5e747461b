"""All stages in the order in which data flow."""

from dsk_assets.defs.consortium import assets as consortium
from dsk_assets.defs.corpus import assets as corpus
from dsk_assets.defs.donations import assets as donations
from dsk_assets.defs.filtering import assets as filtering
from dsk_assets.defs.stage import Stage
from dsk_assets.defs.training import assets as training
from dsk_assets.defs.transparency import assets as transparency
from dsk_assets.errors import CorruptedError
from dsk_assets.evidence.catalog import Catalog

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


def stale(catalog: Catalog) -> list[str]:
    """What a nightly run would make, as far as it can be known now.

    Asks each stage in order, which writes nothing. What lies behind something stale is not
    named: whether it changes is only known when the stale part has been made.
    """
    found = [name for stage in STAGES for name in _stale(stage, catalog)]
    return found + (["transparency/warehouse"] if transparency.warehouse_stale(catalog) else [])


def _stale(stage: Stage, catalog: Catalog) -> list[str]:
    """What of *stage* is stale; all of it where damage hides which keys there are."""
    try:
        keys = stage.wanted(catalog)
    except CorruptedError:
        return [stage.asset]
    return [
        f"{stage.asset}[{key}]" if key else stage.asset for key in keys if stage.stale(catalog, key)
    ]
