select
    checkpoint.checkpoint,
    checkpoint.run,
    checkpoint.release,
    checkpoint.step,
    checkpoint.tokens as checkpoint_tokens,
    exposure.donation,
    exposure.tokens as tokens_offered,
    exposure.tokens_read,
    exposure.tokens_read / nullif(exposure.tokens, 0) as times_read,
    exposure.first_step
from {{ ref('stg_checkpoint') }} as checkpoint
inner join {{ ref('stg_exposure') }} as exposure using (checkpoint)
