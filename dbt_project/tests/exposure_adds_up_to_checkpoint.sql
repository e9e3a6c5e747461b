{{ config(description='What a checkpoint read of all donations is what it read.') }}

select checkpoint, checkpoint_tokens, sum(tokens_read) as counted
from {{ ref('checkpoint_exposure') }}
group by all
having counted != checkpoint_tokens
