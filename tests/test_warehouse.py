"""The lake for SQL, and the warehouse that dbt makes of it."""

import datetime as dt
import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dsk_assets.consortium import agreements, members, use_cases
from dsk_assets.corpus.release import RELEASE_SHARD
from dsk_assets.corpus.shards import SHARD, SHARD_SPAN
from dsk_assets.errors import CorruptedError, RecordError
from dsk_assets.evidence.catalog import Catalog, Snapshot, Stale
from dsk_assets.evidence.withdrawals import withdraw
from dsk_assets.filters import decisions, duplicates, language, signatures
from dsk_assets.intake.documents import SOURCE_FILE
from dsk_assets.privacy.stage import CANARY, DOCUMENT, PII_OUTCOME, PII_SPAN
from dsk_assets.records.sources import sources
from dsk_assets.records.tables import FACTS, PARQUET, STATEMENT
from dsk_assets.records.views import connect
from dsk_assets.records.warehouse import PROJECT, build_with_dbt, marts, warehouse
from dsk_assets.settings import load_settings
from dsk_assets.training.run import LOSS
from tests.small_lake import (
    ARCHIVE,
    BOUND,
    CHECKPOINTS,
    MUNICIPALITY,
    MUSEUM,
    OLD_ARCHIVE,
    SECRET,
    land,
    small_lake,
)
from tests.support import seed

OWNERS = {
    "member": members.SCHEMA,
    "agreement": agreements.SCHEMA,
    "use_case": use_cases.SCHEMA,
    "source_file": SOURCE_FILE,
    "language": language.SCHEMA,
    "document": DOCUMENT,
    "pii_span": PII_SPAN,
    "pii_outcome": PII_OUTCOME,
    "canary": CANARY,
    "decision": decisions.SCHEMA,
    "duplicate": duplicates.SCHEMA,
    "signature": signatures.SCHEMA,
    "shard": SHARD,
    "shard_span": SHARD_SPAN,
    "release_shard": RELEASE_SHARD,
    "loss": LOSS,
}
KINDS = {
    "varchar": pa.string(),
    "varchar[]": pa.list_(pa.string()),
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    catalog = Catalog(load_settings(home=tmp_path_factory.mktemp("dsk"), workers=1))
    small_lake(catalog)
    return catalog


@pytest.fixture(scope="module")
def built(lake: Catalog) -> Snapshot:
    return warehouse(lake)


def rows(snapshot: Snapshot, mart: str) -> list[dict[str, object]]:
    return snapshot.table(mart).to_pylist()


@pytest.mark.parametrize("table", OWNERS)
def test_tables_have_the_columns_their_owners_write(table: str) -> None:
    for name, kind in PARQUET[table].columns.items():
        assert OWNERS[table].field(name).type == KINDS[kind], name


def test_an_empty_lake_has_all_tables_and_no_rows(catalog: Catalog) -> None:
    with connect(catalog) as connection:
        for table in [*PARQUET, *FACTS, "statement"]:
            assert connection.sql(f"select * from lake.{table}").fetchall() == []


def test_tables_show_the_partition_their_rows_come_from(lake: Catalog) -> None:
    with connect(lake) as connection:
        found = connection.sql("select donation, doc_id from lake.decision order by all").fetchall()
        steps = connection.sql("select distinct run from lake.loss").fetchall()
    assert found == [
        (ARCHIVE, "a1"),
        (ARCHIVE, "a2"),
        (ARCHIVE, "a3"),
        (MUNICIPALITY, "k1"),
        (MUNICIPALITY, "k2"),
    ]
    assert steps == [("demo-1.0.0",)]


def test_a_path_with_a_quote_is_a_path(tmp_path: Path) -> None:
    catalog = Catalog(load_settings(home=tmp_path / "o'home", workers=1))
    table = pa.table({"doc_id": ["d"], "n_word": [3.0]})
    land(catalog, ARCHIVE)
    seed(catalog, "filtering/quality", ARCHIVE, tables={"attribute": table})
    with connect(catalog) as connection:
        found = connection.sql("select doc_id, n_word, donation from lake.attribute").fetchall()
    assert found == [("d", 3.0, ARCHIVE)]


def test_rows_of_replaced_donations_are_not_shown(catalog: Catalog) -> None:
    table = pa.table({"doc_id": ["d"]})
    land(catalog, OLD_ARCHIVE)
    seed(catalog, "filtering/quality", OLD_ARCHIVE, tables={"attribute": table})
    query = "select count(*) from lake.attribute"
    with connect(catalog) as connection:
        assert connection.sql(query).fetchall() == [(1,)]
    land(catalog, ARCHIVE)
    with connect(catalog) as connection:
        assert connection.sql(query).fetchall() == [(0,)]
        current = "select donation from lake.donation where is_current"
        assert connection.sql(current).fetchall() == [(ARCHIVE,)]


def test_a_withdrawal_since_delivery_is_shown(catalog: Catalog) -> None:
    land(catalog, ARCHIVE)
    (made,) = withdraw(catalog, ARCHIVE, dt.date(2026, 11, 20), "the agreement ended")
    with connect(catalog) as connection:
        shown = connection.sql("select withdrawn_on from lake.donation").fetchall()
    assert shown == [("2026-11-20",)]
    assert made.source in sources(catalog).inputs


def test_text_and_file_names_are_not_reachable(lake: Catalog) -> None:
    with connect(lake) as connection:
        names = connection.sql(
            "select column_name from information_schema.columns where table_schema = 'lake'"
        ).fetchall()
        assert not {"text", "rel_path", "bands", "shingles", "lines"} & {name for (name,) in names}
        for table in [*PARQUET, *FACTS, "statement"]:
            assert SECRET not in repr(connection.sql(f"select * from lake.{table}").fetchall())


def test_extensions_are_never_downloaded(lake: Catalog) -> None:
    with connect(lake) as connection:
        for setting in ("autoinstall_known_extensions", "autoload_known_extensions"):
            value = connection.sql(f"select current_setting('{setting}')").fetchall()
            assert value == [(False,)]


def test_changed_bytes_are_not_read(catalog: Catalog) -> None:
    land(catalog, ARCHIVE)
    table = pa.table({"doc_id": ["d"]})
    snapshot = seed(catalog, "filtering/quality", ARCHIVE, tables={"attribute": table})
    pq.write_table(pa.table({"doc_id": ["other"]}), snapshot.path(snapshot.files[0].name))
    with pytest.raises(CorruptedError, match="other bytes"):
        connect(catalog)


def test_every_materialisation_has_its_statement(lake: Catalog) -> None:
    with connect(lake) as connection:
        columns = connection.sql("select * from lake.statement").columns
        [found] = connection.sql(
            f"select digest, rows from lake.statement where asset = 'corpus/shards' "
            f"and partition = '{ARCHIVE}'"
        ).fetchall()
    assert columns == list(STATEMENT)
    assert found == (lake.require("corpus/shards", ARCHIVE).digest, 3)


def test_the_register_says_what_became_of_each_donation(built: Snapshot) -> None:
    register = {row["donation"]: row for row in rows(built, "donation_register")}
    assert {donation: row["status"] for donation, row in register.items()} == {
        OLD_ARCHIVE: "superseded",
        ARCHIVE: "admitted",
        MUNICIPALITY: "admitted",
        MUSEUM: "refused",
    }
    assert register[MUSEUM]["refused_because_da"] == "Godkendelsen er udløbet."
    assert register[ARCHIVE]["documents_kept"] == 2
    assert register[MUNICIPALITY]["tokens"] == 500


def test_the_funnel_adds_up(built: Snapshot) -> None:
    found = [
        (row["donation"], row["outcome"], row["stage"], row["documents"])
        for row in rows(built, "filtering_funnel")
    ]
    assert found == [
        (ARCHIVE, "dropped", "quality", 1),
        (ARCHIVE, "kept", "", 2),
        (MUNICIPALITY, "dropped", "personal_data", 1),
        (MUNICIPALITY, "kept", "", 1),
    ]


def test_what_may_be_left_of_personal_data_and_whether_a_person_has_reviewed_it(
    built: Snapshot,
) -> None:
    risk = {row.pop("donation"): row for row in rows(built, "residual_risk")}
    measured = {"canaries_planted": 324, "canaries_missed": 0, "residual_findings": 0}
    reviewed = {"review": "reviewed", "leaks_at_most": BOUND, "recall_measured": True}
    assert risk[ARCHIVE] == {**measured, **reviewed}
    unknown = {"review": "not reviewed", "leaks_at_most": None, "recall_measured": False}
    assert risk[MUNICIPALITY] == {**measured, **unknown}
    assert MUSEUM not in risk


def test_measured_recall_names_the_set_in_which_it_is_lowest(built: Snapshot) -> None:
    found = {(row["name"], row["data_set"]): row for row in rows(built, "measured_recall")}
    assert {place: (row["recall"], row["is_lowest"]) for place, row in found.items()} == {
        ("DK_CPR", "invented"): (0.992, True),
        ("PERSON", "invented"): (1.0, False),
        ("PERSON", "names"): (0.9, True),
        ("Turkish", "names"): (0.95, True),
    }
    assert found["Turkish", "names"]["kind"] == "group"


def test_personal_data_is_counted_by_type(built: Snapshot) -> None:
    found = {
        (row["donation"], row["entity_type"]): (row["findings"], row["documents"])
        for row in rows(built, "personal_data_counts")
    }
    assert found[MUNICIPALITY, "PERSON"] == (3, 1)
    assert found[ARCHIVE, "DK_CPR"] == (3, 3)
    withheld = [row for row in rows(built, "personal_data_outcomes") if row["outcome"] != "kept"]
    assert [(row["donation"], row["documents"]) for row in withheld] == [(MUNICIPALITY, 1)]


def test_exposure_is_what_the_checkpoint_recorded(built: Snapshot) -> None:
    exposure = {
        (row["checkpoint"], row["donation"]): row for row in rows(built, "checkpoint_exposure")
    }
    last = exposure[CHECKPOINTS[1], MUNICIPALITY]
    assert (last["tokens_offered"], last["tokens_read"]) == (500, 200 * 512)
    assert last["times_read"] == 200 * 512 / 500
    assert last["first_step"] == 1


def test_the_warehouse_is_stale_exactly_when_something_it_reads_has_changed(
    lake: Catalog, built: Snapshot
) -> None:
    assert warehouse(lake.planning()) == built
    seed(lake, "corpus/tokenizer", files={"tokenizer.json": {}})
    assert warehouse(lake.planning()) == built
    seed(
        lake,
        "filtering/quality",
        ARCHIVE,
        tables={"attribute": pa.table({"doc_id": ["a1"], "n_word": [1.0]})},
    )
    with pytest.raises(Stale):
        warehouse(lake.planning())


def test_the_same_lake_gives_the_same_bytes(built: Snapshot, tmp_path: Path) -> None:
    again = Catalog(load_settings(home=tmp_path, workers=1))
    small_lake(again)
    assert warehouse(again).digest == built.digest


def test_dbt_builds_on_an_empty_lake_that_it_finds_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSK_HOME", str(tmp_path / "home"))
    build_with_dbt(tmp_path / "fresh.duckdb")
    with duckdb.connect(str(tmp_path / "fresh.duckdb"), read_only=True) as connection:
        for mart in marts():
            assert connection.sql(f"select * from {mart}").fetchall() == []


def test_a_failed_test_is_named_and_nothing_is_written(catalog: Catalog) -> None:
    land(catalog, ARCHIVE, donor={"legal_name": None, "cvr": "60101010", "sector": "public"})
    with pytest.raises(RecordError, match="not_null_stg_donation_donor"):
        warehouse(catalog)
    assert catalog.latest("transparency/warehouse") is None


def test_every_model_and_column_is_described(built: Snapshot) -> None:
    described = {
        model["name"]: {column["name"] for column in model["columns"]}
        for path in PROJECT.glob("models/*/*.yml")
        for model in yaml.safe_load(path.read_text("utf-8"))["models"]
        if model["description"] and all(column["description"] for column in model["columns"])
    }
    assert set(described) == {path.stem for path in PROJECT.glob("models/*/*.sql")}
    for mart in marts():
        assert described[mart] == set(built.table(mart).column_names), mart


def test_sources_name_the_asset_that_makes_them() -> None:
    [source] = yaml.safe_load((PROJECT / "models/sources.yml").read_text("utf-8"))["sources"]
    assets = {name: table.asset for name, table in {**PARQUET, **FACTS}.items()}
    for table in source["tables"]:
        key = "/".join(table["config"]["meta"]["dagster"]["asset_key"])
        if table["name"] != "gate_result":
            assert key == assets[table["name"]]


def test_models_read_the_lake_through_sources_alone() -> None:
    for path in PROJECT.glob("models/**/*.sql"):
        assert not re.search(r"read_parquet|lake\.|attach|install", path.read_text("utf-8"))
