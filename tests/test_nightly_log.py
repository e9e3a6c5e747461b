"""The log in the nightly job: taken up first and last, and a damaged statement holds nothing."""

from pathlib import Path

import dagster as dg
import pytest

from dsk_assets.defs import nightly as night
from dsk_assets.defs.nightly import log, nightly, receive
from dsk_assets.defs.resources import CatalogResource
from dsk_assets.evidence.catalog import Catalog
from tests.support import seed
from tests.test_sequencer import assert_whole, logged


@pytest.fixture
def context(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dg.OpExecutionContext:
    (tmp_path / "consortium").mkdir()
    monkeypatch.setenv("DSK_HOME", str(catalog.settings.home))
    monkeypatch.setenv("DSK_CONSORTIUM", str(tmp_path / "consortium"))
    instance = dg.DagsterInstance.ephemeral()
    return dg.build_op_context(instance=instance, resources={"catalog": CatalogResource()})


@pytest.mark.parametrize("op", [receive, log])
def test_what_was_left_out_is_taken_up(catalog: Catalog, context, op):
    seed(catalog, "a/x", files={"x.json": 1})
    op(context)
    assert_whole(catalog)


def test_a_night_with_nothing_to_do_takes_up_what_was_left_out(
    catalog: Catalog, context, monkeypatch, tmp_path
):
    monkeypatch.setattr(night, "stale", lambda catalog: [])
    seed(catalog, "a/x", files={"x.json": 1})
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        dg.build_schedule_context(
            instance=instance, resources={"catalog": CatalogResource()}
        ) as tick,
    ):
        assert isinstance(night.nightly_schedule(tick), dg.SkipReason)
    assert_whole(catalog)


def test_a_damaged_statement_is_told_of_and_does_not_hold_the_night(catalog: Catalog, context):
    path = Path(catalog.lake.root) / "evidence/statements/a/broken/_/000001.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{}")
    seed(catalog, "a/x", files={"x.json": 1})
    receive(context)
    assert "a/x" in {entry.asset for entry in logged(catalog)}
    with pytest.raises(dg.Failure, match=r"a/broken/_/000001.json is not a readable statement"):
        log(context)


def test_the_log_comes_after_everything_that_makes_statements():
    dependencies = nightly.graph.dependencies
    after = {
        node.name: {one.node for one in inputs.values()} for node, inputs in dependencies.items()
    }
    before: set[str] = set()
    queue = ["nightly__log"]
    while queue:
        for name in after.get(queue.pop(), ()):
            if name not in before:
                before.add(name)
                queue.append(name)
    left = set(nightly.graph.node_dict) - before - {"nightly__log"}
    assert "nightly__transparency__records" in before
    assert all("deliver" in name or "openlineage" in name for name in left), left
