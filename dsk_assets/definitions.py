"""What Dagster loads."""

import dagster as dg

from dsk_assets.defs.evidence import evidence, evidence_schedule
from dsk_assets.defs.flow import STAGES
from dsk_assets.defs.nightly import new_donations, nightly, nightly_schedule
from dsk_assets.defs.resources import CatalogResource
from dsk_assets.defs.transparency.assets import DBT, MARTS, MODEL_RELEASE, warehouse_models
from dsk_assets.defs.transparency.openlineage import EVENTS, openlineage, openlineage_schedule

defs = dg.Definitions(
    assets=[
        *(stage.as_asset() for stage in (*STAGES, MODEL_RELEASE)),
        warehouse_models,
        MARTS,
        EVENTS,
    ],
    jobs=[nightly, evidence, openlineage],
    schedules=[nightly_schedule, evidence_schedule, openlineage_schedule],
    sensors=[new_donations],
    resources={"catalog": CatalogResource(), "dbt": DBT},
    executor=dg.in_process_executor,
)
