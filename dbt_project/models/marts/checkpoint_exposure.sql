select
    checkpoint.checkpoint,
    checkpoint.run,
    checkpoint.release,
    checkpoint.step,
    checkpoint.tokens as checkpoint_tokens,
    composition.donation,
    composition.tokens as tokens_offered,
    composition.share,
    checkpoint.tokens * composition.share as expected_tokens,
    checkpoint.tokens * composition.share / nullif(composition.tokens, 0) as expected_epochs
from {{ ref('stg_checkpoint') }} as checkpoint
inner join {{ ref('corpus_composition') }} as composition using (release)
