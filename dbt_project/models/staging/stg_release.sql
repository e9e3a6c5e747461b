select
    release,
    name,
    previous,
    tokenizer,
    donations,
    shards,
    documents,
    tokens,
    characters,
    release not in (
        select previous from {{ source('lake', 'release') }} where previous is not null
    ) as is_newest
from {{ source('lake', 'release') }}
