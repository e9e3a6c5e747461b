select
    gate,
    partition,
    judged_asset,
    principle,
    admitted,
    measure,
    expected,
    actual,
    passed,
    severity,
    reason,
    reason_da
from {{ ref('stg_gate_result') }}
