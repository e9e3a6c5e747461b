select
    span.donation,
    donation.donor,
    donation.licence,
    coalesce(tagged.language, 'und') as language,
    count(*) as documents,
    cast(sum(span.tokens) as bigint) as tokens
from {{ ref('stg_shard_span') }} as span
inner join {{ ref('stg_donation') }} as donation using (donation)
left join {{ ref('stg_language') }} as tagged
    on span.donation = tagged.donation and span.doc_id = tagged.doc_id
group by all
