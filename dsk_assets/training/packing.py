"""Writing job folders: links into the lake and copies of code, each file with its digest."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsk_assets.corpus import tokenizer as corpus_tokenizer
from dsk_assets.corpus.release import OpenedRelease
from dsk_assets.evidence.catalog import Snapshot
from dsk_assets.lake.digests import canonical_json, sha256_file
from dsk_assets.lake.folders import files_below
from dsk_assets.settings import EU_COUNTRIES, PROJECT_ROOT
from dsk_assets.training import job as job_folder
from dsk_assets.training.config import TrainingConfig
from dsk_assets.training.job import Job
from dsk_assets.training.order import NAME, Order

MODULES = (
    "__init__",
    "errors",
    "consortium/__init__",
    "consortium/policy",
    "consortium/reading",
    "lake/__init__",
    "lake/digests",
    "lake/folders",
    "training/__init__",
    "training/config",
    "training/dataset",
    "training/energy",
    "training/group",
    "training/job",
    "training/loader",
    "training/order",
    "training/payload",
    "training/permutation",
    "training/receipt",
    "training/sharding",
    "training/trainer",
)
"""The modules that a payload imports: all of the project's code that goes to a computing site."""


@dataclass(frozen=True)
class Contents:
    """What a job is made of: *base* is the base model's folder, *previous* the checkpoint before.

    Only one of the two is packed: a checkpoint already holds what the base model became.
    """

    run: str
    identity: str
    config: TrainingConfig
    release: OpenedRelease
    order: Order
    domains: Mapping[str, str]
    """The domain of each donation, by which losses on held-out documents are told apart."""
    base: Path | None
    base_digest: str | None
    previous: Snapshot | None
    targets: Sequence[int]


def pack(folder: Path, contents: Contents) -> Job:
    """Write the job folder *folder*, whole, in place of the one there."""
    temporary = folder.with_name(f".tmp-{folder.name}")
    for path in (temporary, folder):
        shutil.rmtree(path, ignore_errors=True)
    parcel = _Parcel(temporary)
    parcel.code()
    tokenizer = contents.release.tokenizer
    for name in (corpus_tokenizer.FILE, corpus_tokenizer.CONFIG):
        parcel.link(f"{job_folder.TOKENIZER}/{name}", tokenizer.path(name))
    content = {
        "run": contents.run,
        "identity": contents.identity,
        "settings": contents.config.model_dump(mode="json"),
        "order": _order(contents, parcel),
        "vocabulary": _vocabulary(tokenizer),
        "start": _start(contents, parcel),
        "targets": list(contents.targets),
        "countries": sorted(EU_COUNTRIES),
    }
    parcel.close(content)
    temporary.rename(folder)
    return Job.read(folder)


def copy_to(job: Job, folder: Path) -> None:
    """Copy all that *job* consists of to *folder*, where it is checked against its digests.

    Raises :class:`CorruptedError` when a copy has other bytes.
    """
    for name in [job_folder.FILE, *(file["name"] for file in job.content["files"])]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(job.folder / name, path)
    (folder / "out").mkdir()
    Job.read(folder).verify()


def _vocabulary(tokenizer: Snapshot) -> dict[str, int]:
    vocabulary = corpus_tokenizer.vocabulary(tokenizer)
    return {"size": vocabulary.size, "endOfText": vocabulary.end_of_text}


def _order(contents: Contents, parcel: "_Parcel") -> dict[str, Any]:
    sources = []
    for number, member in enumerate(contents.release.members):
        files = []
        for shard, (path, dtype) in enumerate(member.files()):
            name = f"shards/{number:04d}/{shard:05d}.bin"
            parcel.link(name, path)
            files.append({"name": name, "dtype": dtype})
        source = contents.order.sources[number]
        sources.append(
            {
                "donation": source.donation,
                "tokens": source.tokens,
                "weight": source.weight,
                "heldOut": source.held_out,
                "domain": contents.domains[source.donation],
                "files": files,
            }
        )
    return {
        "name": NAME,
        "seed": contents.order.seed,
        "release": contents.order.release,
        "sequenceLength": contents.order.sequence_length,
        "batchSize": contents.config.batch_size,
        "sources": sources,
    }


def _start(contents: Contents, parcel: "_Parcel") -> dict[str, Any]:
    if contents.previous is not None:
        weights = contents.previous.only(*job_folder.WEIGHTS)
        for file in weights.files:
            parcel.link(f"{job_folder.START}/{file.name}", weights.path(file.name))
        return {"step": weights.counts["step"], "digest": weights.digest}
    if contents.base is not None:
        for name, path in files_below(contents.base).items():
            if not any(part.startswith(".") for part in Path(name).parts):
                parcel.link(f"{job_folder.BASE}/{name}", path)
    return {"step": 0, "digest": contents.base_digest}


@dataclass
class _Parcel:
    """A folder under way, and what is known of its files."""

    folder: Path
    files: list[dict[str, Any]] = field(default_factory=list)

    def link(self, name: str, path: Path) -> None:
        """*path* under the name *name*; whoever copies the folder follows the link."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path.resolve())
        self._note(name, target)

    def code(self) -> None:
        """The modules of :data:`MODULES`, copied: they may change while the payload runs."""
        for module in MODULES:
            name = f"{job_folder.CODE}/dsk_assets/{module}.py"
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT_ROOT / "dsk_assets" / f"{module}.py", target)
            self._note(name, target)

    def close(self, content: Mapping[str, Any]) -> None:
        """Write ``job.json``."""
        (self.folder / "out").mkdir()
        files = sorted(self.files, key=lambda file: str(file["name"]))
        (self.folder / job_folder.FILE).write_bytes(canonical_json({**content, "files": files}))

    def _note(self, name: str, path: Path) -> None:
        size = path.stat().st_size
        self.files.append({"name": name, "sha256": sha256_file(path.resolve()), "bytes": size})
