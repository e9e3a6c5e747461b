select donation, doc_id, entity_type, action
from {{ source('lake', 'pii_span') }}
