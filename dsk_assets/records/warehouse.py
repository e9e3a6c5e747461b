"""The warehouse: dbt's marts over the lake's tables, kept as Parquet with a statement.

The database that dbt works in is made for one build and thrown away. Before dbt starts, its schema
``lake`` is bound to the very materialisations that the statement will name.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from dsk_assets.errors import RecordError
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.lake.digests import sha256_file, sha256_set
from dsk_assets.lake.store import Zone
from dsk_assets.records.sources import sources
from dsk_assets.records.views import OFFLINE, register
from dsk_assets.settings import PROJECT_ROOT

ASSET = "transparency/warehouse"
CODE_VERSION = "1"
DATABASE_VARIABLE = "DSK_WAREHOUSE_DB"
"""The environment variable by which ``dbt_project/profiles.yml`` finds the database."""

PROJECT = PROJECT_ROOT / "dbt_project"


def marts() -> list[str]:
    """Names of the marts that ``dbt_project`` defines, sorted."""
    return sorted(path.stem for path in (PROJECT / "models" / "marts").glob("*.sql"))


def warehouse(catalog: Catalog, build: Callable[[Path], None] | None = None) -> Snapshot:
    """The marts over the newest materialisations, made now if one of these has changed.

    One table for each mart, described in ``dbt_project/models/marts/marts.yml``; rows are sorted
    by all columns. Counts: rows by mart. *build* runs dbt on the database whose path it is given,
    by default :func:`build_with_dbt`. Raises :class:`RecordError` when a model or a test fails.
    """
    source = sources(catalog)

    def produce(out: Output) -> None:
        with _scratch(catalog) as folder:
            database = folder / "warehouse.duckdb"
            with duckdb.connect(str(database), config=OFFLINE) as connection:
                register(connection, source)
            (build or build_with_dbt)(database)
            with duckdb.connect(str(database), read_only=True, config=OFFLINE) as connection:
                for mart in marts():
                    _export(out, connection, mart)

    return catalog.materialise(
        ASSET,
        zone=Zone.EVIDENCE,
        inputs=source.inputs,
        config={"project": _project_digest()},
        code_version=CODE_VERSION,
        produce=produce,
    )


def build_with_dbt(database: Path) -> None:
    """Run all models and tests of ``dbt_project`` on *database*, in a process of its own.

    Raises :class:`RecordError` naming the models and tests that failed.
    """
    target = database.parent / "target"
    command = [sys.executable, "-m", "dbt.cli.main", "--quiet", "build"]
    places = {
        "--project-dir": PROJECT,
        "--profiles-dir": PROJECT,
        "--target-path": target,
        "--log-path": database.parent / "logs",
    }
    finished = subprocess.run(
        [*command, *(str(part) for place in places.items() for part in place)],
        cwd=database.parent,
        env=os.environ | {DATABASE_VARIABLE: str(database)},
        capture_output=True,
        check=False,
    )
    if finished.returncode:
        raise build_error(target)


def build_error(target: Path) -> RecordError:
    """What to raise for a failed build: it names the models and tests that did not end well.

    *target* is dbt's target folder. dbt's own messages are left out: they may quote values.
    """
    results = target / "run_results.json"
    ran = json.loads(results.read_bytes())["results"] if results.exists() else []
    failed = sorted(
        result["unique_id"].split(".")[2] for result in ran if result["status"] in ("error", "fail")
    )
    return RecordError(
        f"dbt build failed: {', '.join(failed) or 'the project could not be parsed'} — "
        "run `dbt build --project-dir dbt_project --profiles-dir dbt_project` to see why"
    )


def _export(out: Output, connection: duckdb.DuckDBPyConnection, mart: str) -> None:
    rows = connection.sql(f'select * from main."{mart}" order by all').to_arrow_table()
    out.table(mart, [rows], rows.schema)
    out.count(**{mart: rows.num_rows})


def _project_digest() -> str:
    """One digest of everything in ``dbt_project`` that decides what the marts hold."""
    files = [
        path
        for pattern in ("*.yml", "models/**/*.sql", "models/**/*.yml", "macros/**/*.sql")
        for path in PROJECT.glob(pattern)
    ]
    return sha256_set((path.relative_to(PROJECT).as_posix(), sha256_file(path)) for path in files)


@contextmanager
def _scratch(catalog: Catalog) -> Iterator[Path]:
    parent = catalog.settings.home.resolve() / "tmp"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix="warehouse-") as folder:
        yield Path(folder)
