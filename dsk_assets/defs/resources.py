"""What assets get from outside: the catalog of the lake that the settings name."""

import dagster as dg

from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import load_settings


class CatalogResource(dg.ConfigurableResource[Catalog]):
    """Opens the catalog; where it lies is said by the ``DSK_`` environment variables."""

    def open(self, run_id: str) -> Catalog:
        """The catalog, whose statements will name *run_id*."""
        return Catalog(load_settings(), run_id=run_id)
