select donation, doc_id, shard, "end" - start as tokens
from {{ source('lake', 'shard_span') }}
