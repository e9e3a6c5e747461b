"""The records of a corpus release, published together from the same facts."""

from pathlib import Path

from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.lake.digests import sha256_file, sha256_set
from dsk_assets.lake.store import Zone
from dsk_assets.records import facts as record_facts
from dsk_assets.records import published, warehouse
from dsk_assets.records.provider import FILE, load_provider
from dsk_assets.records.verification import require_verified

ASSET = "transparency/records"
CODE_VERSION = "2"


def records(catalog: Catalog, release: str) -> Snapshot:
    """The published records of the corpus release of that version and of the model trained on it.

    A folder for each record (``public_summary``, ``dataset_card``, ``model_card``): metadata and
    numbers, never donated text. Dates in them are those of the things they speak of. Counts:
    ``records``, ``files`` and ``bytes``. Demands gate ``composition`` of the release and gate
    ``checkpoint`` of the newest checkpoint, where a model has been trained on it, and gate
    ``evidence`` of a verification of all that is read here. Raises :class:`SettingsError` for a
    ``provider.yaml`` that cannot be used.
    """
    corpus = catalog.require("corpus/release", release)
    checkpoint = newest_checkpoint(catalog, release)
    verdicts = [admission.require(catalog, "composition", corpus)]
    if checkpoint is not None:
        verdicts.append(admission.require(catalog, "checkpoint", checkpoint))
    marts = catalog.require(warehouse.ASSET)
    read = materialisations(catalog, release)
    verdicts.append(require_verified(catalog, release, read))
    provider = load_provider(catalog.settings.consortium)
    tried = checkpoint and evaluation(catalog, checkpoint)
    facts = record_facts.gather(catalog, provider, marts, corpus, checkpoint, tried)

    def produce(out: Output) -> None:
        files = dict(published.render_all(facts))
        for name, content in files.items():
            with out.file(name) as path:
                path.write_bytes(content)
        out.count(
            records=len({name.partition("/")[0] for name in files}),
            files=len(files),
            bytes=sum(map(len, files.values())),
        )

    path = catalog.settings.consortium / FILE
    return catalog.materialise(
        ASSET,
        release,
        zone=Zone.PUBLIC,
        inputs=[
            *read,
            *verdicts,
            Source(f"consortium/{FILE}", sha256_file(path)),
        ],
        config={
            "updated": facts.updated.isoformat(),
            "released": facts.released.isoformat(),
            "previous": list(facts.previous),
            "code": _code_digest(),
        },
        code_version=CODE_VERSION,
        produce=produce,
    )


def materialisations(catalog: Catalog, release: str) -> list[Snapshot]:
    """What the records of *release* are made of, besides the decisions of gates."""
    checkpoint = newest_checkpoint(catalog, release)
    found = [catalog.require(warehouse.ASSET), catalog.require("corpus/release", release)]
    if checkpoint is None:
        return found
    tried = evaluation(catalog, checkpoint)
    return [*found, checkpoint, _run(catalog, checkpoint), *([tried] if tried else [])]


def evaluation(catalog: Catalog, checkpoint: Snapshot) -> Snapshot | None:
    """What this very *checkpoint* did when it was tried, or None where it was not."""
    found = catalog.latest("training/evaluation", checkpoint.partition)
    if found is None:
        return None
    tried = checkpoint.only("model/", "checkpoint.json").digest
    return found if found.inputs.get(f"dsk:{checkpoint.key}") == tried else None


def newest_checkpoint(catalog: Catalog, release: str) -> Snapshot | None:
    """The last checkpoint of the newest finished training run on the release, or None."""
    runs = [catalog.require("training/run", name) for name in catalog.partitions("training/run")]
    ended = [
        (run.statement["predicate"]["runDetails"]["metadata"]["finishedOn"], run)
        for run in runs
        if run.json("run.json")["release"] == release
    ]
    if not ended:
        return None
    newest = max(ended, key=lambda pair: pair[0])[1]
    return catalog.require(
        "training/checkpoint", newest.json("run.json")["checkpoints"][-1]["checkpoint"]
    )


def _run(catalog: Catalog, checkpoint: Snapshot) -> Snapshot:
    name = checkpoint.json("checkpoint.json")["run"]
    return catalog.require("training/run", name).only("run.json")


def _code_digest() -> str:
    """One digest of the records' modules, templates and schemas: a changed one writes again."""
    root = Path(__file__).parent
    folders = [*map(Path, published.__path__), root / "templates", root / "schemas"]
    return sha256_set(
        (f"{folder.name}/{path.name}", sha256_file(path))
        for folder in folders
        for path in folder.iterdir()
        if path.is_file()
    )
