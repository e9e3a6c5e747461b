"""Gate ``checkpoint``: was this checkpoint trained on gated data only, and did training work?"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.gates.judging import finished, judge, started
from dsk_assets.gates.suites import Measures

CODE_VERSION = "2"
WEIGHTS = ".safetensors"
EXECUTABLE = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth", ".py"})
"""Files that run code when they are loaded; a model that is given to others holds none."""

_COMPOSITION = re.compile(r"dsk:gate/composition\[(.+)\]")


def checkpoint(catalog: Catalog, key: str) -> Snapshot:
    """Judge the checkpoint *key*: its inputs, its loss and its files."""
    snapshot = catalog.require("training/checkpoint", key)
    verdicts = _compositions(catalog, snapshot)

    def measure() -> Measures:
        return {
            **composition_measures(snapshot, verdicts),
            **loss_measures(snapshot),
            **model_file_measures(snapshot),
        }

    return judge(
        catalog, "checkpoint", snapshot, measure, code_version=CODE_VERSION, inputs=verdicts
    )


def composition_measures(snapshot: Snapshot, verdicts: Sequence[Snapshot]) -> Measures:
    """The decisions on the release: how many, those that refuse, those taken after training began.

    A release is judged after its shards were made of redacted documents, so a decision that came
    before training shows that redaction did too.
    """
    return {
        "compositions": len(verdicts),
        "compositions_refused": sum(
            not admission.decision(verdict).admitted for verdict in verdicts
        ),
        "compositions_too_late": sum(finished(verdict) > started(snapshot) for verdict in verdicts),
    }


def loss_measures(snapshot: Snapshot) -> Measures:
    """Whether the loss is a finite number, and its ratio to that of guessing (ln of vocabulary)."""
    loss = snapshot.json("checkpoint.json").get("loss")
    if not isinstance(loss, int | float) or not math.isfinite(loss):
        return {"loss_is_finite": 0, "loss_against_guessing": None}
    vocabulary = snapshot.json("model/config.json")["vocab_size"]
    return {"loss_is_finite": 1, "loss_against_guessing": round(loss / math.log(vocabulary), 6)}


def model_file_measures(snapshot: Snapshot) -> Measures:
    """Files of the model: weights, empty ones, and such as would run code."""
    files = [file for file in snapshot.files if file.name.startswith("model/")]
    endings = [PurePosixPath(file.name).suffix for file in files]
    return {
        "weight_files": endings.count(WEIGHTS),
        "empty_files": sum(file.bytes == 0 for file in files),
        "executable_files": sum(ending in EXECUTABLE for ending in endings),
    }


def _compositions(catalog: Catalog, snapshot: Snapshot) -> list[Snapshot]:
    """The very decisions of gate ``composition`` that the checkpoint's statement names."""
    definition: Mapping[str, Any] = snapshot.statement["predicate"]["buildDefinition"]
    verdicts = []
    for dependency in definition["resolvedDependencies"]:
        release = _COMPOSITION.fullmatch(dependency["uri"])
        if release:
            statement = dependency["annotations"]["statement"]
            history = catalog.history(admission.asset_of("composition"), release[1])
            verdicts += [one for one in history if one.statement_digest == statement]
    return verdicts
