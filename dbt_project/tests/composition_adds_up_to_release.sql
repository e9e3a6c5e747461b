{{ config(description='The donations of a release hold all of its tokens, and their shares make 1.') }}

select release.release, release.tokens, sum(part.tokens) as counted, sum(part.share) as shares
from {{ ref('stg_release') }} as release
left join {{ ref('corpus_composition') }} as part using (release)
group by all
having counted is distinct from release.tokens or abs(shares - 1) > 1e-9
