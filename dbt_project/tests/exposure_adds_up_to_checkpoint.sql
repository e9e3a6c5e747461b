{{ config(description='What a checkpoint read of all donations is what it read.') }}

select checkpoint, checkpoint_tokens, sum(expected_tokens) as counted
from {{ ref('checkpoint_exposure') }}
group by all
having abs(counted - checkpoint_tokens) > 1e-6 * checkpoint_tokens
