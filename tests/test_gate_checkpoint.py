"""Gate checkpoint: trained on gated data only, with weights that anyone can open."""

import copy
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import pytest

from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.gates import suites
from dsk_assets.gates.checkpoint import composition_measures
from dsk_assets.gates.registry import GATES
from dsk_assets.lake.store import Zone
from tests.gating import failed, judged, on, released
from tests.support import DONATION, admit

KEY = "test-1.0.0.step-000004"


def trained(
    catalog: Catalog,
    inputs: list[Snapshot],
    loss: float | None = 4.0,
    files: Mapping[str, bytes] | None = None,
) -> None:
    contents = {"model.safetensors": b"weights"} if files is None else files

    def produce(out: Output) -> None:
        out.json("checkpoint.json", {"loss": loss})
        out.json("model/config.json", {"vocab_size": 4096})
        for name, content in contents.items():
            with out.file(f"model/{name}") as path:
                path.write_bytes(content)

    catalog.materialise(
        "training/checkpoint",
        KEY,
        zone=Zone.CURATED,
        inputs=inputs,
        config={"loss": loss, "files": sorted(contents)},
        code_version="test",
        produce=produce,
    )


@pytest.fixture
def composed(catalog: Catalog) -> Snapshot:
    """The verdict that admits a release, as a training run gives it on."""
    made = released(catalog, DONATION)
    GATES["composition"].judge(on(catalog), "1.0.0")
    return admission.require(on(catalog), "composition", made)


def test_a_checkpoint_of_gated_data_passes(catalog: Catalog, composed: Snapshot):
    trained(catalog, [composed])
    decided = judged(catalog, "checkpoint", KEY)
    assert (decided.admitted, decided.principle) == (True, "1")
    actual = {one.measure: one.actual for one in decided.findings}
    assert actual["loss_against_guessing"] == pytest.approx(4 / math.log(4096), abs=1e-6)


@pytest.mark.parametrize(
    ("expected", "made"),
    [
        ({"loss_is_finite": "critical"}, {"loss": None}),
        ({"loss_against_guessing": "warning"}, {"loss": 8.4}),
        ({"weight_files": "critical"}, {"files": {}}),
        ({"empty_files": "critical"}, {"files": {"model.safetensors": b""}}),
        (
            {"weight_files": "critical", "executable_files": "critical"},
            {"files": {"pytorch_model.bin": b"pickle"}},
        ),
    ],
)
def test_each_fault_of_a_checkpoint_is_found(
    catalog: Catalog, composed: Snapshot, expected: dict[str, str], made: dict[str, Any]
):
    trained(catalog, [composed], **made)
    verdict = GATES["checkpoint"].judge(catalog, KEY)
    assert {name: one.severity for name, one in failed(verdict).items()} == expected


def test_a_checkpoint_without_a_gated_release_is_refused(catalog: Catalog, composed: Snapshot):
    trained(catalog, [catalog.require("corpus/release", "1.0.0")])
    assert list(failed(GATES["checkpoint"].judge(catalog, KEY))) == ["compositions"]
    release = catalog.require("corpus/release", "1.0.0")
    refusal = admit(catalog, "composition", release, admitted=False)
    trained(catalog, [refusal], loss=3.0)
    assert list(failed(GATES["checkpoint"].judge(catalog, KEY))) == ["compositions_refused"]


def test_training_that_began_before_its_release_was_judged_is_refused(
    catalog: Catalog, composed: Snapshot
):
    trained(catalog, [composed])
    snapshot = catalog.require("training/checkpoint", KEY)
    composed = catalog.require("gate/composition", "1.0.0")
    assert composition_measures(snapshot, [composed])["compositions_too_late"] == 0
    statement = copy.deepcopy(snapshot.statement)
    statement["predicate"]["runDetails"]["metadata"]["startedOn"] = "2020-01-01T00:00:00Z"
    early = dataclasses.replace(snapshot, statement=statement)
    measures = composition_measures(early, [composed])
    assert measures["compositions_too_late"] == 1
    found = {one.measure: one.passed for one in suites.evaluate("checkpoint", measures)}
    assert found["compositions"] and not found["compositions_too_late"]
