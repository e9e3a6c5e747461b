select
    donation,
    outcome,
    reason,
    count(*) as documents,
    cast(sum(findings) as bigint) as findings,
    cast(sum(residual) as bigint) as residual
from {{ ref('stg_pii_outcome') }}
group by all
