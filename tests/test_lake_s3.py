"""The lake on a real S3 service: the same code, verified reads, nothing half written."""

import pyarrow as pa
import pytest

from dsk_assets.errors import CorruptedError
from dsk_assets.evidence.catalog import Catalog, asset_partitions
from dsk_assets.evidence.openlineage.check import problems
from dsk_assets.evidence.openlineage.delivery import deliver
from dsk_assets.evidence.openlineage.events import Projector
from dsk_assets.evidence.sequencer import append_new
from dsk_assets.evidence.verify.lake import verify
from dsk_assets.settings import load_settings
from tests.evidence_lake import DONATIONS, REACHED, release
from tests.support import admit, seed
from tests.test_sequencer import assert_whole, donation

pytestmark = pytest.mark.servers


def test_what_is_written_is_read_back_verified(on_s3: Catalog, catalog: Catalog):
    table = pa.table({"n": [1, 2, 3]})
    there = seed(on_s3, "a/numbers", "k", tables={"number": table})
    here = seed(catalog, "a/numbers", "k", tables={"number": table})
    assert there.digest == here.digest
    assert on_s3.require("a/numbers", "k").table("number") == table
    assert on_s3.partitions("a/numbers") == ["k"]
    admit(on_s3, "approval", there)


def test_a_changed_object_is_found_and_made_again(on_s3: Catalog):
    made = seed(on_s3, "a/x", files={"x.json": [1]})
    assert made.json("x.json") == [1]
    on_s3.lake.fs.pipe_file(f"{on_s3.lake.root}/{made.folder}/x.json", b"[2]")
    with pytest.raises(CorruptedError, match="other bytes"):
        on_s3.require("a/x").json("x.json")
    assert seed(on_s3, "a/x", files={"x.json": [1]}).json("x.json") == [1]
    assert len(on_s3.history("a/x")) == 2


def test_statements_are_listed_and_told_as_on_a_disk(on_s3: Catalog, tmp_path):
    on_disk = Catalog(load_settings(home=tmp_path / "another"))
    for one in (on_s3, on_disk):
        assert asset_partitions(one) == {}
        for number in range(3):
            seed(one, "corpus/shards", "k", files={"n": number})
            seed(one, "corpus/tokenizer", files={"n": number % 2})
        assert asset_partitions(one) == {
            ("corpus/shards", "k"): [1, 2, 3], ("corpus/tokenizer", None): [1, 2, 3],
        }  # fmt: skip
        assert deliver(one).receivers[0].delivered == 6
    event = Projector(on_s3).event(on_s3.require("corpus/tokenizer"))
    assert problems(event) == []
    assert event["outputs"][0]["facets"]["storage"]["storageLayer"] == "s3"
    assert event["outputs"][0]["facets"]["dataSource"]["uri"].startswith("s3://")


def test_a_missing_object_is_named(on_s3: Catalog):
    made = seed(on_s3, "a/x", files={"x.json": [1]})
    on_s3.lake.remove(f"{made.folder}/x.json")
    with pytest.raises(CorruptedError, match="is gone, though its statement names it"):
        made.path("x.json")


def test_statements_are_taken_up_into_a_log_in_s3(on_s3: Catalog):
    donation(on_s3)
    append_new(on_s3)
    assert_whole(on_s3)
    assert append_new(on_s3).added == 0


def test_a_lake_in_s3_is_verified_from_its_objects_up(on_s3: Catalog):
    made = release(on_s3)
    append_new(on_s3)
    report = verify(on_s3)
    assert {fault.code for fault in report.faults} == {"no-witness", "development-keys"}
    assert report.counts["statements"] == report.counts["entries"] > 40
    on_s3.lake.fs.pipe_file(f"{on_s3.lake.root}/{made.folder}/release.json", b"{}")
    gate = f"{on_s3.lake.root}/evidence/statements/gate/spans/{DONATIONS[0]}/000001.json"
    on_s3.lake.fs.rm_file(gate)
    found = {fault.code: fault for fault in verify(on_s3).faults if not fault.is_limit}
    assert set(found) == {"file-changed", "statement-removed"}
    assert found["file-changed"].affects == REACHED
