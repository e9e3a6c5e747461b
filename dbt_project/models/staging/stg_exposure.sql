select checkpoint, donation, tokens, tokens_read, first_step
from {{ source('lake', 'exposure') }}
