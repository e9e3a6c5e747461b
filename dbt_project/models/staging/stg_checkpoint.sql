select checkpoint, run, release, step, tokens, sequence_length, batch_size, parameters, loss
from {{ source('lake', 'checkpoint') }}
