"""Statements as OpenLineage events: complete, valid against their schemas, the same every time."""

import copy
import datetime as dt
import json
import uuid
from importlib import resources
from pathlib import Path

import attr
import jsonschema_rs
import pyarrow as pa
import pytest
from click.testing import CliRunner

from dsk_assets.cli.main import main
from dsk_assets.evidence.admission import Decision, record
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot, asset_partitions
from dsk_assets.evidence.openlineage import assets, facets
from dsk_assets.evidence.openlineage.check import problems, schemas
from dsk_assets.evidence.openlineage.events import Projector, run_id
from dsk_assets.evidence.statements import Source
from dsk_assets.evidence.withdrawals import withdraw
from dsk_assets.lake.store import Zone
from dsk_assets.settings import load_settings
from tests.small_lake import ARCHIVE, MUNICIPALITY, MUSEUM, SECRET, small_lake
from tests.support import admit, documents, seed


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    catalog = Catalog(load_settings(home=tmp_path_factory.mktemp("dsk"), workers=1))
    small_lake(catalog)
    return catalog


def materialisations(catalog: Catalog) -> list[Snapshot]:
    return [
        one for asset, part in asset_partitions(catalog) for one in catalog.history(asset, part)
    ]


@pytest.fixture(scope="module")
def events(lake: Catalog) -> list[dict]:
    projector = Projector(lake)
    return [projector.event(snapshot) for snapshot in materialisations(lake)]


def make(catalog: Catalog, asset: str, partition: str | None, inputs, table=None, **options):
    def produce(out: Output) -> None:
        if table is not None:
            out.table("document", [table], table.schema)
        out.json("x.json", {"of": [one.dependency()["digest"] for one in inputs]})

    return catalog.materialise(
        asset, partition, zone=options.pop("zone", Zone.CURATED), inputs=inputs,
        config=options, code_version="1", produce=produce,
    )  # fmt: skip


def event_of(catalog: Catalog, snapshot: Snapshot) -> dict:
    event = Projector(catalog).event(snapshot)
    assert problems(event) == []
    return event


def test_every_event_is_as_its_schemas_say(events: list[dict]):
    assert [problem for event in events for problem in problems(event)] == []


def test_each_materialisation_is_one_run(lake: Catalog, events: list[dict]):
    runs = {event["run"]["runId"] for event in events}
    assert len(runs) == len(events) == len(materialisations(lake))
    assert all(uuid.UUID(run).version == 7 for run in runs)
    assert {event["eventType"] for event in events} == {"COMPLETE"}


def test_projecting_again_gives_the_same(lake: Catalog, events: list[dict]):
    again = Projector(Catalog(lake.settings))
    backwards = [again.event(snapshot) for snapshot in reversed(materialisations(lake))]
    assert backwards[::-1] == events


def test_an_event_is_bound_to_its_statement(lake: Catalog, events: list[dict]):
    for snapshot, event in zip(materialisations(lake), events, strict=True):
        evidence = event["run"]["facets"]["dsk_evidence"]
        assert evidence["statement"] == snapshot.statement_digest
        assert event["eventTime"] == evidence["finishedOn"] >= evidence["startedOn"]
        (output,) = event["outputs"]
        assert output["facets"]["version"]["datasetVersion"] == f"sha256:{snapshot.digest}"
        if snapshot.partition:
            (partition,) = output["outputFacets"]["subset"]["outputCondition"]["partitions"]
            assert partition["identifier"] == snapshot.partition


@pytest.mark.parametrize("fan_in", [0, 1, 99, 100, 150])
def test_every_input_is_there_at_any_fan_in(catalog: Catalog, fan_in: int):
    parts = [seed(catalog, "corpus/shards", f"dsk-{i}@1.0.0", files={"n": i})
             for i in range(fan_in % 7)]  # fmt: skip
    others = [Source(f"delivery/{i}", f"{i:064d}") for i in range(fan_in)]
    release = make(catalog, "corpus/release", "1.0.0", [*parts, *others])
    event = event_of(catalog, release)
    found = [
        (one["namespace"], one["name"], one["facets"]["version"]["datasetVersion"],
         [p["identifier"] for p in one["inputFacets"].get("subset", {})
          .get("inputCondition", {}).get("partitions", [])])
        for one in event["inputs"]
    ]  # fmt: skip
    assert found == [
        *(("dsk", "corpus/shards", f"sha256:{one.digest}", [one.partition]) for one in parts),
        *(("dsk-source", one.name, f"sha256:{one.digest}", []) for one in others),
    ]
    assert sum("storage" in one["facets"] for one in event["inputs"]) == min(1, len(parts))


def test_an_input_is_told_as_it_was_read(catalog: Catalog):
    first = seed(
        catalog, "donations/documents", ARCHIVE, tables={"document": documents({"a": "x"})}
    )
    reader = make(catalog, "filtering/quality", ARCHIVE, [first.only("document/")])
    other = pa.table({"doc_id": ["b"]})
    seed(catalog, "donations/documents", ARCHIVE, tables={"document": other})
    (told,) = event_of(catalog, reader)["inputs"]
    fields = [field["name"] for field in told["facets"]["schema"]["fields"]]
    assert "document.text" in fields
    assert told["facets"]["version"]["datasetVersion"] == f"sha256:{first.digest}"


def test_columns_lead_back_to_the_columns_they_come_from(catalog: Catalog):
    raw = seed(
        catalog, "donations/documents", ARCHIVE, zone=Zone.RESTRICTED,
        tables={"document": documents({"a": "x"})},
    )  # fmt: skip
    redacted = make(
        catalog, "filtering/personal_data", ARCHIVE, [raw.only("document/")],
        table=documents({"a": "y"}).drop_columns(["file_id"]),
    )  # fmt: skip
    (output,) = Projector(catalog).event(redacted)["outputs"]
    fields = output["facets"]["columnLineage"]["fields"]
    (origin,) = fields["document.text"]["inputFields"]
    assert (origin["name"], origin["field"]) == ("donations/documents", "document.text")
    assert origin["transformations"] == [
        {"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": True}
    ]
    (origin,) = fields["document.doc_id"]["inputFields"]
    assert origin["transformations"][0]["subtype"] == "IDENTITY"


def test_columns_are_told_only_of_tables_and_inputs_that_are_there(catalog: Catalog):
    table = pa.table({"doc_id": ["a"], "text": ["y"]})
    unread = make(catalog, "filtering/personal_data", ARCHIVE, [], table=table)
    assert "columnLineage" not in Projector(catalog).event(unread)["outputs"][0]["facets"]
    raw = seed(catalog, "donations/documents", ARCHIVE, tables={"document": table})
    read = make(catalog, "filtering/personal_data", ARCHIVE, [raw], table=table)
    fields = Projector(catalog).event(read)["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert set(fields) == {"document.doc_id", "document.text"}


def test_rest_of_a_table_is_what_no_rule_names():
    found = assets.columns("filtering/quality", ["attribute.doc_id", "attribute.n_word"])
    assert {column.column: column.kind for column in found} == {
        "attribute.doc_id": "IDENTITY",
        "attribute.n_word": "TRANSFORMATION",
    }


def test_a_donation_tells_its_terms_and_nobody_s_name(lake: Catalog):
    landing = lake.require("donations/landing", ARCHIVE)
    manifest = landing.json("manifest.json")
    (output,) = event_of(lake, landing)["outputs"]
    told = output["facets"]
    assert told["dsk_licence"]["licence"] == manifest["rights"]["licence_spdx"]
    assert told["dsk_approval"]["approvedOn"] == manifest["rights"]["approval"]["approved_on"]
    assert told["dsk_approval"]["evidence"][0]["sha256"]
    assert "withdrawnOn" not in told["dsk_withdrawal"]
    assert {"name": f"cvr:{manifest['donor']['cvr']}", "type": "DONOR"} in (
        told["ownership"]["owners"]
    )


def test_a_withdrawal_is_told(catalog: Catalog, lake: Catalog):
    manifest = lake.require("donations/landing", ARCHIVE).json("manifest.json")
    manifest["withdrawal"]["withdrawn_on"] = "2026-11-20"
    landing = seed(catalog, "donations/landing", ARCHIVE, files={"manifest.json": manifest})
    told = event_of(catalog, landing)["outputs"][0]["facets"]["dsk_withdrawal"]
    assert told["withdrawnOn"] == "2026-11-20"


def test_a_withdrawal_that_a_gate_heeded_is_told(catalog: Catalog, lake: Catalog):
    manifest = lake.require("donations/landing", ARCHIVE).json("manifest.json")
    landing = seed(catalog, "donations/landing", ARCHIVE, files={"manifest.json": manifest})
    (withdrawn,) = withdraw(catalog, ARCHIVE, dt.date(2026, 11, 20), "a reason")
    heeded = record(
        catalog, "approval", landing, inputs=[withdrawn.source], config={}, code_version="1",
        decide=lambda: Decision("approval", "3", landing.key, landing.digest, False, (), None),
    )  # fmt: skip
    event = event_of(catalog, heeded)
    told = event["outputs"][0]["facets"]["dsk_withdrawal"]
    assert (told["withdrawnOn"], told["statement"]) == ("2026-11-20", withdrawn.statement)
    assert "a reason" not in json.dumps(event)


def test_a_gate_s_findings_stand_on_what_it_judged(lake: Catalog):
    refused = lake.require("gate/approval", MUSEUM)
    event = event_of(lake, refused)
    (judged,) = [one for one in event["inputs"] if "dataQualityAssertions" in one["inputFacets"]]
    assert judged["name"] == "donations/landing"
    (assertion,) = judged["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (assertion["expected"], assertion["actual"]) == ("at least 1", "0")
    assert (assertion["success"], assertion["severity"]) == (False, "error")
    assert assertion["description"] == "The approval has expired."
    told = event["outputs"][0]["facets"]["dsk_gate"]
    assert told["admitted"] is False
    assert told["judgedDigest"] == lake.require("donations/landing", MUSEUM).digest


def test_the_filter_s_findings_are_told_as_counts(lake: Catalog):
    event = event_of(lake, lake.require("filtering/personal_data", MUNICIPALITY))
    counts = event["outputs"][0]["facets"]["dsk_personalData"]["counts"]
    assert counts["findings"] == {"DK_CPR": 1, "PERSON": 3}


def test_nothing_told_holds_text_or_a_person_s_details(lake: Catalog, events: list[dict]):
    told = json.dumps(events, ensure_ascii=False)
    assert SECRET not in told
    for donation in lake.partitions("donations/landing"):
        manifest = lake.require("donations/landing", donation).json("manifest.json")
        donor, rights = manifest["donor"], manifest["rights"]
        for secret in (
            donor["contact"]["email"], donor["dpo_email"], manifest["withdrawal"]["contact"],
            rights["holder"]["name"], rights["approval"]["approved_by_role"],
            *(file["path"] for file in manifest["files"]),
        ):  # fmt: skip
            assert f'"{secret}"' not in told
    assert str(lake.settings.home) not in told


def test_an_erased_donation_still_has_its_event(catalog: Catalog, lake: Catalog):
    manifest = lake.require("donations/landing", ARCHIVE).json("manifest.json")
    landing = seed(catalog, "donations/landing", ARCHIVE, files={"manifest.json": manifest})
    catalog.lake.remove(f"{landing.folder}/manifest.json")
    told = event_of(catalog, landing)["outputs"][0]["facets"]
    assert "dsk_approval" not in told
    assert told["version"]["datasetVersion"] == f"sha256:{landing.digest}"


def test_the_parent_is_the_run_it_was_made_in(settings):
    run = str(uuid.uuid4())
    by_dagster = seed(Catalog(settings, run), "consortium/members", files={"a": 1})
    by_hand = [
        seed(Catalog(settings, "dsk"), "corpus/shards", key, files={"n": key}) for key in "ab"
    ]
    projector = Projector(Catalog(settings))
    parent = projector.event(by_dagster)["run"]["facets"]["parent"]
    assert parent["run"]["runId"] == parent["root"]["run"]["runId"] == run
    parents = [projector.event(one)["run"]["facets"]["parent"] for one in by_hand]
    assert parents[0]["job"]["name"] == parents[0]["root"]["job"]["name"] == "dsk"
    assert parents[0]["run"] == parents[1]["run"]


def test_run_ids_follow_the_statement(catalog: Catalog):
    first = seed(catalog, "consortium/members", files={"a": 1})
    second = seed(catalog, "consortium/members", files={"a": 2})
    assert run_id(first) != run_id(second)
    assert run_id(first) == run_id(catalog.history("consortium/members")[0])


def test_installations_are_told_apart_by_their_namespace(settings):
    named = load_settings(home=settings.home, openlineage_namespace="prod")
    event = event_of(Catalog(named), seed(Catalog(named), "consortium/members", files={"a": 1}))
    assert event["job"]["namespace"] == event["outputs"][0]["namespace"] == "prod"


OWN = [
    getattr(facets, name) for name in dir(facets)
    if name.startswith("Dsk") and name.endswith("Facet")
]  # fmt: skip


@pytest.mark.parametrize("facet", OWN, ids=lambda facet: facet.__name__)
def test_own_facets_are_what_their_schemas_say(facet):
    schema = _found(facet._get_schema())
    fields = {field.name for field in attr.fields(facet) if not field.name.startswith("_")}
    assert set(schema["allOf"][1]["properties"]) == fields


def test_all_schemas_are_valid_and_refer_to_what_is_shipped():
    folder = resources.files("dsk_assets.evidence.openlineage") / "schemas"
    assert "Apache License" in (folder / "openlineage" / "NOTICE.md").read_text()
    meta = jsonschema_rs.Draft202012Validator(
        {"$ref": "https://json-schema.org/draft/2020-12/schema"}
    )
    for url, document in schemas().items():
        meta.validate(document)
        for reference in _references(document):
            assert _found(f"{url}{reference}" if reference.startswith("#") else reference)


def _found(url: str):
    """What *url* points to in the schemas that are shipped."""
    document, _, pointer = url.partition("#")
    found = schemas()[document]
    for name in pointer.split("/")[1:]:
        found = found[name]
    return found


def _references(node):
    if isinstance(node, dict):
        yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


BROKEN = {
    "no schema named": lambda e: e.pop("schemaURL"),
    "another schema": lambda e: e.update(schemaURL="https://example.org/x.json#/$defs/RunEvent"),
    "run id": lambda e: e["run"].update(runId="run-1"),
    "time": lambda e: e.update(eventTime="yesterday"),
    "time without offset": lambda e: e.update(eventTime="2026-11-25T01:30:00"),
    "producer": lambda e: e.update(producer="us"),
    "no job": lambda e: e.pop("job"),
    "facet without schema": lambda e: e["run"]["facets"]["parent"].pop("_schemaURL"),
    "facet of unknown schema": lambda e: e["run"]["facets"]["parent"].update(_schemaURL="urn:x:y"),
    "facet by another name": lambda e: e["run"]["facets"].update(
        mother=e["run"]["facets"].pop("parent")
    ),
    "evidence without statement": lambda e: e["run"]["facets"]["dsk_evidence"].pop("statement"),
    "judged by a short digest": lambda e: e["outputs"][0]["facets"]["dsk_gate"].update(
        judgedDigest="zz"
    ),
    "assertion without verdict": lambda e: e["inputs"][0]["inputFacets"]["dataQualityAssertions"][
        "assertions"
    ][0].pop("success"),
    "facet that is a number": lambda e: e["job"]["facets"].update(ownership=3),
    "version that is a number": lambda e: e["inputs"][0]["facets"]["version"].update(
        datasetVersion=1
    ),
    "subset without partitions": lambda e: e["outputs"][0]["outputFacets"]["subset"][
        "outputCondition"
    ].pop("partitions"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_each_fault_is_found(lake: Catalog, fault: str):
    event = copy.deepcopy(event_of(lake, lake.require("gate/approval", MUSEUM)))
    BROKEN[fault](event)
    assert problems(event)


def test_the_command_checks_a_file(lake: Catalog, events: list[dict], tmp_path: Path):
    good, bad = tmp_path / "good.ndjson", tmp_path / "bad.ndjson"
    good.write_text("".join(json.dumps(event) + "\n" for event in events))
    done = CliRunner().invoke(main, ["openlineage", "check", str(good)])
    assert (done.exit_code, done.output) == (
        0, f"as their schemas say: {len(events)} events\n"
    )  # fmt: skip
    bad.write_text(json.dumps(events[0]) + "\n{\n" + json.dumps(events[1] | {"job": 1}) + "\n")
    done = CliRunner().invoke(main, ["openlineage", "check", str(bad)])
    assert done.exit_code == 1
    assert "line 2: is not JSON" in done.output
    assert "line 3: event:" in done.output
    assert "line 1" not in done.output


def test_a_gate_that_admits_says_until_when(catalog: Catalog, lake: Catalog):
    judged = seed(catalog, "corpus/release", "1.0.0", files={"a": 1})
    until = dt.date(2027, 1, 31)
    event = event_of(catalog, admit(catalog, "composition", judged, valid_until=until))
    assert event["outputs"][0]["facets"]["dsk_gate"]["validUntil"] == "2027-01-31"
