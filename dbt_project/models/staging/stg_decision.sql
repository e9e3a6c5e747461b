select
    donation,
    doc_id,
    if(kept, 'kept', 'dropped') as outcome,
    coalesce(stage, '') as stage,
    coalesce(rule, '') as rule,
    n_char
from {{ source('lake', 'decision') }}
