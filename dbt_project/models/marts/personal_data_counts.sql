select
    donation,
    entity_type,
    action,
    count(*) as findings,
    count(distinct doc_id) as documents
from {{ ref('stg_pii_span') }}
group by all
