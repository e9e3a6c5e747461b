"""What is to be trained at a site that the platform cannot reach, and has not come back."""

from dsk_assets.errors import MissingInputError
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.training.config import load_training
from dsk_assets.training.site import ByHand, load_site


def awaited_run(catalog: Catalog) -> str | None:
    """The run over the newest release, where a person must carry it and it is not back; or None.

    It waits from when gate ``composition`` admits its release until a run of that name stands.
    Reads statements alone.
    """
    if not isinstance(load_site(catalog.settings.consortium), ByHand):
        return None
    from dsk_assets.corpus.release import newest_version

    version = newest_version(catalog)
    if version is None:
        return None
    judged = catalog.latest(admission.asset_of("composition"), version)
    if judged is None or not admission.decision(judged).admitted:
        return None
    run = f"{load_training(catalog.settings.consortium).name}-{version}"
    return None if catalog.latest("training/run", run) else run


def told(run: str) -> str:
    """What a person is to do about the awaited run *run*."""
    return f"{run} waits to be trained elsewhere: dsk training send FOLDER"


def awaited(name: str) -> MissingInputError:
    """What to say where *name* can be made only from what comes back."""
    return MissingInputError(
        f"{name} is trained elsewhere and waits for its checkpoints — `dsk training send FOLDER` "
        "writes what is to be trained, `dsk training receive FOLDER` takes what came of it"
    )
