select
    donation,
    file_id,
    media_type,
    bytes,
    outcome,
    coalesce(documents, 0) as documents
from {{ source('lake', 'source_file') }}
