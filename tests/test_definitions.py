"""What Dagster loads: it is valid, light, and tells the story in its groups."""

import json
import subprocess
import sys

import dagster as dg
import pytest

from dsk_assets.settings import PROJECT_ROOT

HEAVY = {"great_expectations", "presidio_analyzer", "spacy", "torch", "transformers", "lingua"}


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    from dsk_assets.definitions import defs

    return defs


def test_definitions_are_loadable(defs: dg.Definitions):
    dg.Definitions.validate_loadable(defs)


def test_importing_them_leaves_heavy_libraries_out():
    script = "import sys, json, dsk_assets.definitions; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True, text=True, check=True, cwd=PROJECT_ROOT,
    )  # fmt: skip
    loaded = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert not loaded & HEAVY


def test_every_asset_tells_what_it_is(defs: dg.Definitions):
    for spec in defs.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert ":class:" not in spec.description, spec.key
        assert spec.key.path[0] == "warehouse" or "``" not in spec.description, spec.key
        assert spec.group_name, spec.key
        assert spec.kinds, spec.key
        assert spec.owners == ["team:data-engineering"], spec.key
        assert spec.tags["dsk/principle"] in "12345", spec.key


def test_the_groups_follow_the_flow(defs: dg.Definitions):
    groups = {spec.group_name for spec in defs.resolve_all_asset_specs()}
    assert groups == {
        "consortium", "donations", "filtering", "corpus", "training", "transparency",
    }  # fmt: skip


def test_the_schedule_is_on_and_danish(defs: dg.Definitions):
    schedule = defs.resolve_schedule_def("nightly")
    assert schedule.cron_schedule == "30 1 * * *"
    assert schedule.execution_timezone == "Europe/Copenhagen"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def test_every_gate_has_a_suite_and_a_check(defs: dg.Definitions):
    from dsk_assets.gates.registry import GATES

    suites = {path.stem for path in (PROJECT_ROOT / "expectations").glob("*.json")}
    checks = {
        key.name
        for assets in defs.assets or []
        if isinstance(assets, dg.AssetsDefinition)
        for key in assets.check_keys
    }
    assert set(GATES) == suites
    assert set(GATES) <= checks


def test_every_asset_is_explained_to_catalogues_of_lineage():
    from dsk_assets.defs.flow import STAGES
    from dsk_assets.evidence.openlineage.assets import documentation

    assert [stage.asset for stage in STAGES if documentation(stage.asset) is None] == []


def test_workspace_loads_from_the_root():
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        capture_output=True, text=True, check=False, cwd=PROJECT_ROOT,
    )  # fmt: skip
    assert "Validation successful" in done.stderr + done.stdout
