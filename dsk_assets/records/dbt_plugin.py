"""What dbt-duckdb loads for the profile in ``dbt_project``: it puts the lake behind the sources."""

from dbt.adapters.duckdb.plugins import BasePlugin  # noqa: TID253 (dbt itself imports this module)
from duckdb import DuckDBPyConnection

from dsk_assets.evidence.catalog import Catalog
from dsk_assets.records.sources import sources
from dsk_assets.records.views import SCHEMA, register
from dsk_assets.settings import load_settings


class Plugin(BasePlugin):
    """Registers schema ``lake`` in a database that does not have it.

    The warehouse prepares its database before dbt starts, so that dbt reads exactly the
    materialisations that its statement names. dbt that a person starts finds the lake of the
    ``DSK_`` settings as it is now.
    """

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Called by dbt-duckdb once for each process."""
        known = "select 1 from information_schema.schemata where schema_name = ?"
        if not conn.execute(known, [SCHEMA]).fetchall():
            register(conn, sources(Catalog(load_settings(), run_id="dbt")))
