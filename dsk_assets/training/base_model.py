"""The open model that training goes on from, as an input from outside, or the lack of one.

Principle 1 binds what is released, and a model made from another one inherits its licence. So the
licence must allow commercial use and release before a single step is trained.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dsk_assets.consortium.licences import OPEN, open_licence
from dsk_assets.corpus.tokenizer import FILE as TOKENIZER
from dsk_assets.errors import MissingInputError, SettingsError
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.lake.digests import sha256_file, sha256_json, sha256_set, sha256_text
from dsk_assets.lake.store import Zone
from dsk_assets.training.base_licence import LICENCES, said_in
from dsk_assets.training.config import BaseModelConfig, load_training

CODE_VERSION = "2"
ASSET = "training/base_model"
FILE = "base_model.json"

DOWNLOADED = ["*.safetensors", "*.json", "LICEN?E*", "NOTICE*", "COPYING*", "README.md"]
"""Files taken from the hub: no pickled weights and no code."""


def base_model(catalog: Catalog) -> Snapshot:
    """The base model named in ``training.yaml``, or that training starts from scratch.

    ``base_model.json``: ``origin`` (``none: trained from scratch``, ``folder`` or ``hub``),
    ``name``, ``revision``, ``licence``, ``trainingDataKnown`` (yes, partly, no; null from
    scratch), ``digest`` of the model's folder and ``files`` with their digests. A model on the
    hub is downloaded only when ``training.yaml`` names one, once. Count ``licence_said_in``: the
    model's own files that say its licence. Raises :class:`SettingsError` for a licence that breaks
    principle 1 or is not the one that the model's files say, and for a folder without a model.
    """
    config = load_training(catalog.settings.consortium).base_model
    if config is not None:
        licence(config)

    def produce(out: Output) -> None:
        content = _description(catalog, config)
        out.json(FILE, content)
        out.count(files=len(content["files"]))
        if config is not None:
            files = said_in(_folder(catalog, config), config.name, licence(config))
            out.count(licence_said_in=", ".join(files))

    return catalog.materialise(
        ASSET,
        zone=Zone.EVIDENCE,
        inputs=[] if config is None else [_source(catalog, config)],
        config={"baseModel": config.model_dump(mode="json") if config else None},
        code_version=CODE_VERSION,
        produce=produce,
    )


def licence(config: BaseModelConfig) -> str:
    """The base model's licence as SPDX writes it; :class:`SettingsError` unless it is open."""
    name = open_licence(config.licence)
    if name is None:
        raise SettingsError(
            f"training.yaml: base_model.licence is {config.licence!r}, which principle 1 does not "
            "admit: released models are open and free, also for commercial use — choose a base "
            f"model under one of {', '.join(sorted(OPEN.values()))}"
        )
    return name


def folder(catalog: Catalog, snapshot: Snapshot, tokenizer: Snapshot) -> Path | None:
    """The folder of the base model that *snapshot* describes; None from scratch.

    Raises :class:`MissingInputError` when ``training.yaml`` or the model's files have changed
    since *snapshot* was made, and :class:`SettingsError` when the model was made with another
    tokenizer than the corpus.
    """
    config = load_training(catalog.settings.consortium).base_model
    path = _folder(catalog, config) if config else None
    if snapshot.json(FILE)["digest"] != (_digest(_files(path)) if path else None):
        raise MissingInputError(
            f"{snapshot.key} describes another base model than training.yaml names now — "
            "materialise training/base_model again"
        )
    own = path / TOKENIZER if path else None
    if own and own.is_file() and sha256_file(own) != sha256_file(tokenizer.path(TOKENIZER)):
        raise SettingsError(
            f"corpus.yaml: the tokenizer is not that of base model {config and config.name} — "
            f"give tokenizer.given the model's {TOKENIZER}"
        )
    return path


def notices(catalog: Catalog, described: Mapping[str, Any]) -> dict[str, Path]:
    """Licence and notices that came with the base model of ``base_model.json``, by their names.

    Raises :class:`MissingInputError` where ``training.yaml`` names another model now, or the files
    have changed.
    """
    named = {
        one["name"]: one["sha256"]
        for one in described["files"]
        if one["name"].upper().startswith((*LICENCES, "NOTICE"))
    }
    if not named:
        return {}
    config = load_training(catalog.settings.consortium).base_model
    paths = {name: _folder(catalog, config) / name for name in named} if config else {}
    for name, digest in named.items():
        path = paths.get(name)
        if path is None or not path.is_file() or sha256_file(path) != digest:
            raise MissingInputError(
                f"{name} of base model {described['name']} is not there, or has other bytes — name "
                "that model in training.yaml again, since its notices go with the release"
            )
    return paths


def _description(catalog: Catalog, config: BaseModelConfig | None) -> dict[str, Any]:
    if config is None:
        return {
            "origin": "none: trained from scratch",
            "name": None,
            "revision": None,
            "licence": None,
            "trainingDataKnown": None,
            "digest": None,
            "files": [],
        }
    files = _files(_folder(catalog, config))
    return {
        "origin": "folder" if config.hub is None else "hub",
        "name": config.name,
        "revision": config.revision,
        "licence": licence(config),
        "trainingDataKnown": config.training_data_known,
        "digest": _digest(files),
        "files": [{"name": name, "sha256": digest} for name, digest in files.items()],
    }


def _source(catalog: Catalog, config: BaseModelConfig) -> Source:
    if config.hub is not None:
        commit = f"huggingface/{config.hub}@{config.revision}"
        return Source(commit, sha256_text(commit))
    return Source(f"consortium/{config.folder}", _digest(_files(_folder(catalog, config))))


def _folder(catalog: Catalog, config: BaseModelConfig) -> Path:
    if config.hub is None:
        path = catalog.settings.consortium / str(config.folder)
    else:
        path = _downloaded(catalog, config.hub, str(config.revision))
    if not (path / "config.json").is_file() or not any(path.glob("*.safetensors")):
        raise SettingsError(
            f"training.yaml: base_model {config.name} has no config.json with safetensors in "
            f"{path} — name the folder or repository of a model saved by transformers"
        )
    return path


def _downloaded(catalog: Catalog, hub: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download

    name = sha256_json([hub, revision])[:16]
    path = catalog.settings.home.resolve() / "cache" / "base_models" / name
    if not path.is_dir():
        partial = path.with_name(f".tmp-{name}")
        snapshot_download(hub, revision=revision, local_dir=partial, allow_patterns=DOWNLOADED)
        partial.rename(path)
    return path


def _files(path: Path) -> dict[str, str]:
    """Digests of the visible files below *path*, by their relative name."""
    names = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    return {
        name: sha256_file(names[name])
        for name in sorted(names)
        if not any(part.startswith(".") for part in Path(name).parts)
    }


def _digest(files: dict[str, str]) -> str:
    return sha256_set(files.items())
