select
    data_set,
    kind,
    name,
    spans,
    found
from {{ source('lake', 'recall') }}
