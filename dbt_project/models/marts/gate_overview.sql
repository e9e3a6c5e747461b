select
    gate,
    partition,
    judged_asset,
    principle,
    admitted,
    valid_until,
    count(*) as expectations,
    count(*) filter (not passed and severity = 'critical') as failed,
    count(*) filter (not passed and severity = 'warning') as warnings,
    coalesce(string_agg(reason, ' ' order by measure) filter (not passed), '') as reasons,
    coalesce(string_agg(reason_da, ' ' order by measure) filter (not passed), '') as reasons_da
from {{ ref('stg_gate_result') }}
group by all
