with parts as (

    select
        release,
        donation,
        weight,
        count(*) as shards,
        cast(sum(documents) as bigint) as documents,
        cast(sum(tokens) as bigint) as tokens
    from {{ ref('stg_release_shard') }}
    group by all

),

weighted as (

    select
        *,
        if(tokens > 0, greatest(1, cast(round_even(tokens * weight, 0) as bigint)), 0)
            as tokens_per_pass
    from parts

)

select
    weighted.release,
    release.name as release_name,
    release.is_newest,
    release.tokenizer,
    weighted.donation,
    donation.donor,
    donation.licence,
    donation.agreement,
    donation.open_source_wish,
    weighted.shards,
    weighted.documents,
    weighted.tokens,
    weighted.weight,
    weighted.tokens_per_pass,
    weighted.tokens_per_pass
    / nullif(sum(weighted.tokens_per_pass) over (partition by weighted.release), 0)
        as share
from weighted
inner join {{ ref('stg_release') }} as release using (release)
inner join {{ ref('stg_donation') }} as donation using (donation)
