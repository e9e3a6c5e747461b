select donation, doc_id, language, n_char
from {{ source('lake', 'language') }}
