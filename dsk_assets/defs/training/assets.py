"""The base model, training runs and their checkpoints."""

from collections.abc import Callable

from dsk_assets.corpus import release
from dsk_assets.defs.corpus.assets import judge_again, newest_release
from dsk_assets.defs.partitions import CHECKPOINT, TRAINING_RUN
from dsk_assets.defs.stage import Stage
from dsk_assets.defs.training.pipes import followed
from dsk_assets.evidence.catalog import Catalog, Snapshot, Stale
from dsk_assets.training import base_model, evaluation, run
from dsk_assets.training.awaited import awaited
from dsk_assets.training.config import load_training
from dsk_assets.training.launch import Launcher, launcher
from dsk_assets.training.site import ByHand, load_site

_TORCH = frozenset({"pytorch", "huggingface"})


def _newest_run(catalog: Catalog) -> list[str]:
    name = load_training(catalog.settings.consortium).name
    return [f"{name}-{version}" for version in newest_release(catalog)]


def _train(catalog: Catalog, key: str) -> Snapshot:
    version = key.removeprefix(f"{load_training(catalog.settings.consortium).name}-")
    judge_again(catalog, version)
    return _made(catalog, key, lambda launch: run.train(catalog, version, launch))


def _checkpoint(catalog: Catalog, key: str) -> Snapshot:
    name = load_training(catalog.settings.consortium).name
    version = key.removeprefix(f"{name}-").rpartition(".step-")[0]
    if version in release.versions(catalog):
        judge_again(catalog, version)
    return _made(catalog, key, lambda launch: run.checkpoint(catalog, key, launch))


def _made(catalog: Catalog, key: str, make: Callable[[Launcher], Snapshot]) -> Snapshot:
    """Training followed by Dagster; what comes from elsewhere is awaited, and is not stale."""
    try:
        return make(followed(launcher(catalog.settings)))
    except Stale:
        if isinstance(load_site(catalog.settings.consortium), ByHand):
            raise awaited(key) from None
        raise


_train.__doc__ = run.train.__doc__
_checkpoint.__doc__ = run.checkpoint.__doc__

BASE_MODEL = Stage(
    "training/base_model",
    base_model.base_model,
    base_model.CODE_VERSION,
    kinds=frozenset({"huggingface", "json"}),
    principle="1",
)
RUN = Stage(
    "training/run",
    _train,
    run.CODE_VERSION,
    deps=("corpus/release*", "corpus/tokenizer", "training/base_model"),
    kinds=_TORCH,
    partitions=TRAINING_RUN,
    keys=_newest_run,
    principle="4",
)
CHECKPOINTS = Stage(
    "training/checkpoint",
    _checkpoint,
    run.CODE_VERSION,
    deps=("training/run*",),
    kinds=_TORCH,
    partitions=CHECKPOINT,
    keys=run.checkpoints,
    gate="checkpoint",
    principle="1",
    see_also="training/evaluation",
)
EVALUATION = Stage(
    "training/evaluation",
    evaluation.evaluation,
    evaluation.CODE_VERSION,
    deps=("training/checkpoint",),
    kinds=_TORCH | {"json"},
    partitions=CHECKPOINT,
    keys=lambda catalog: run.checkpoints(catalog)[-1:],
    principle="4",
    see_also="transparency/records",
)
