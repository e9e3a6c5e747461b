select
    donation,
    doc_id,
    outcome,
    coalesce(reason, '') as reason,
    findings,
    residual
from {{ source('lake', 'pii_outcome') }}
