select
    gate,
    partition,
    judged_asset,
    principle,
    admitted,
    valid_until,
    measure,
    expected,
    actual,
    passed,
    severity,
    reason,
    reason_da
from {{ source('lake', 'gate_result') }}
