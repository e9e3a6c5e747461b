{{ config(description='Every decided document is in the funnel exactly once.') }}

select donation, decided.documents, counted.documents as counted
from (
    select donation, count(*) as documents from {{ ref('stg_decision') }} group by donation
) as decided
full join (
    select donation, sum(documents) as documents
    from {{ ref('filtering_funnel') }}
    where outcome != 'undecided'
    group by donation
) as counted using (donation)
where decided.documents is distinct from counted.documents
