select
    kind,
    name,
    data_set,
    spans,
    found,
    round(found / spans, 4) as recall,
    row_number() over (
        partition by kind, name order by found / spans, spans desc, data_set
    ) = 1 as is_lowest
from {{ ref('stg_recall') }}
