select release, donation, shard, sha256, tokens, documents, weight
from {{ source('lake', 'release_shard') }}
