"""Provenance as PROV: complete, in order of time, readable by other tools, the same every time."""

import datetime as dt
import json

import pytest
from click.testing import CliRunner
from prov.model import ProvDocument
from rdflib import Graph
from rdflib.namespace import PROV

from dsk_assets.cli.main import main
from dsk_assets.errors import MissingInputError
from dsk_assets.evidence import clock
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.prov import NAMESPACE, closure, document, render
from dsk_assets.evidence.statements import Source
from dsk_assets.lake.store import Zone

DONATIONS = ("dsk-2026-0001@1.0.0", "dsk-2026-0002@1.0.0")


def make(catalog: Catalog, asset: str, partition: str | None, inputs, **files) -> Snapshot:
    def produce(out: Output) -> None:
        for name, content in files.items():
            out.json(name.replace("__", "."), content)
        out.json("x.json", [one.dependency()["digest"] for one in inputs])

    return catalog.materialise(
        asset, partition, zone=Zone.CURATED, inputs=inputs, config={}, code_version="1",
        produce=produce,
    )  # fmt: skip


@pytest.fixture
def chain(catalog: Catalog) -> dict[str, Snapshot]:
    """Two donations, one release, one checkpoint, and a shard that went nowhere."""
    made: dict[str, Snapshot] = {}
    for number, donation in enumerate(DONATIONS):
        delivery = Source(f"delivery/{donation}", f"{number}" * 64)
        manifest = {"donor": {"cvr": f"6000000{number}"}}
        landing = make(catalog, "donations/landing", donation, [delivery], manifest__json=manifest)
        documents = make(catalog, "donations/documents", donation, [landing])
        made[donation] = make(catalog, "corpus/shards", donation, [documents.only("x")])
    made["release"] = make(
        catalog, "corpus/release", "1.0.0", [made[DONATIONS[0]], made[DONATIONS[1]]]
    )
    made["checkpoint"] = make(catalog, "training/checkpoint", "run.step-1", [made["release"]])
    make(catalog, "corpus/shards", "dsk-2026-0003@1.0.0", [])
    return made


def keys(catalog: Catalog, key: str) -> set[str]:
    return {one.key for one in closure(catalog, key).snapshots}


def test_a_release_leads_back_to_every_delivery(catalog: Catalog, chain):
    found = keys(catalog, "1.0.0")
    assert found == {"corpus/release[1.0.0]"} | {
        f"{asset}[{donation}]"
        for asset in ("donations/landing", "donations/documents", "corpus/shards")
        for donation in DONATIONS
    }
    assert keys(catalog, "corpus/release[1.0.0]") == found
    assert keys(catalog, "run.step-1") == found | {"training/checkpoint[run.step-1]"}


def test_a_donation_leads_forward_to_all_that_was_made_of_it(catalog: Catalog, chain):
    assert keys(catalog, DONATIONS[0]) == {
        f"donations/landing[{DONATIONS[0]}]", f"donations/documents[{DONATIONS[0]}]",
        f"corpus/shards[{DONATIONS[0]}]", "corpus/release[1.0.0]",
        "training/checkpoint[run.step-1]",
    }  # fmt: skip
    told = render(document(closure(catalog, DONATIONS[0])), "json")
    assert DONATIONS[1] not in told
    assert f"dsk-source:delivery/{DONATIONS[0]}" in told


def test_the_materialisation_that_was_read_is_the_one_named(catalog: Catalog, chain):
    make(catalog, "corpus/shards", DONATIONS[0], [Source("other", "9" * 64)])
    found = {one.statement_digest for one in closure(catalog, "1.0.0").snapshots}
    assert chain[DONATIONS[0]].statement_digest in found
    assert catalog.require("corpus/shards", DONATIONS[0]).statement_digest not in found


@pytest.mark.parametrize("key", ["1.0.0", "run.step-1", DONATIONS[0]])
def test_json_is_read_back_by_the_library_as_the_same_document(catalog: Catalog, chain, key: str):
    made = document(closure(catalog, key))
    text = render(made, "json")
    assert ProvDocument.deserialize(content=text, format="json") == made
    assert render(document(closure(Catalog(catalog.settings), key)), "json") == text


def test_turtle_is_prov_o_with_a_time_for_everything(catalog: Catalog, chain):
    closed = closure(catalog, "run.step-1")
    text = render(document(closed), "ttl")
    assert render(document(closed), "ttl") == text
    graph = Graph().parse(data=text, format="turtle")
    assert len(set(graph.subjects(PROV.startedAtTime))) == len(closed.snapshots) == 8
    generated = {
        str(graph.value(one, PROV.entity) or one): graph.value(one, PROV.atTime)
        for one in graph.objects(None, PROV.qualifiedGeneration)
    }
    assert len(generated) == 8
    rows = list(graph.query(
        """SELECT ?reader ?input WHERE {
             ?made prov:wasGeneratedBy ?reader . ?reader prov:used ?input .
             ?made prov:wasDerivedFrom ?input .
             ?reader prov:qualifiedUsage [ prov:entity ?input ; prov:atTime ?read ] .
             OPTIONAL { ?input prov:qualifiedGeneration [ prov:atTime ?stood ] }
             FILTER (!bound(?stood) || ?stood <= ?read) }""",
        initNs={"prov": PROV},
    ))  # fmt: skip
    inputs = sum(
        len(one.statement["predicate"]["buildDefinition"]["resolvedDependencies"])
        for one in closed.snapshots
    )
    assert len(rows) == inputs == 9


def test_from_a_checkpoint_a_query_finds_every_donor(catalog: Catalog, chain):
    text = render(document(closure(catalog, "run.step-1")), "ttl")
    graph = Graph().parse(data=text, format="turtle")
    checkpoint = f"{NAMESPACE}entity/{chain['checkpoint'].statement_digest}"
    donors = {
        str(donor)
        for (donor,) in graph.query(
            f"""SELECT ?donor WHERE {{
                <{checkpoint}> prov:wasDerivedFrom+ ?landing . ?landing prov:wasAttributedTo ?donor
            }}""",
            initNs={"prov": PROV},
        )
    }
    assert donors == {f"{NAMESPACE}agent/cvr-6000000{number}" for number in range(2)}


def test_times_out_of_order_are_named(catalog: Catalog, chain, monkeypatch: pytest.MonkeyPatch):
    assert closure(catalog, "run.step-1").disorder() == []
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda after: dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        make(catalog, "training/checkpoint", "run.step-2", [chain["release"]])
    (found,) = closure(catalog, "run.step-2").disorder()
    assert "dsk:corpus/release[1.0.0]" in found
    assert "training/checkpoint[run.step-2]" in found


def test_an_input_without_statement_is_an_entity_that_nothing_made(catalog: Catalog, chain):
    catalog.lake.remove(f"evidence/statements/corpus/shards/{DONATIONS[0]}/000001.json")
    closed = closure(catalog, "1.0.0")
    assert f"corpus/shards[{DONATIONS[0]}]" not in {one.key for one in closed.snapshots}
    content = json.loads(render(document(closed), "json"))
    lost = f"dsk:entity/{chain[DONATIONS[0]].statement_digest}"
    assert content["entity"][lost]["prov:label"] == f"dsk:corpus/shards[{DONATIONS[0]}]"
    assert lost not in {one["prov:entity"] for one in content["wasGeneratedBy"].values()}


def test_an_id_stands_for_the_newest_version(catalog: Catalog, chain):
    old, new = (f"dsk-2026-0001@{version}" for version in ("9.0.0", "10.0.0"))
    for key in (old, new):
        make(catalog, "donations/landing", key, [], manifest__json={})
    assert keys(catalog, "dsk-2026-0001") == {f"donations/landing[{new}]"}


def test_what_there_is_not_is_an_error_that_helps(catalog: Catalog):
    with pytest.raises(MissingInputError, match="no release, checkpoint or donation"):
        closure(catalog, "2.0.0")
    with pytest.raises(MissingInputError, match="materialise it first"):
        closure(catalog, "corpus/release[2.0.0]")


def test_the_command(catalog: Catalog, chain, monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("DSK_HOME", str(catalog.settings.home))
    path = tmp_path / "release.ttl"
    done = CliRunner().invoke(
        main, ["evidence", "prov", "1.0.0", "--format", "ttl", "-o", str(path)]
    )
    assert done.exit_code == 0
    assert path.read_text("utf-8") == render(document(closure(catalog, "1.0.0")), "ttl")
    shown = CliRunner().invoke(main, ["evidence", "prov", "1.0.0"])
    assert set(json.loads(shown.stdout)) >= {"prefix", "entity", "activity", "used"}
    assert CliRunner().invoke(main, ["evidence", "prov", "3.0.0"]).exit_code == 1
