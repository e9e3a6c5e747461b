{{ config(
    severity='warn',
    description='Kept, dropped and undecided add up to the delivered documents. Only a warning: it is broken where a donation was read anew and could not be decided again yet.'
) }}

select register.donation, register.documents, sum(funnel.documents) as counted
from {{ ref('donation_register') }} as register
left join {{ ref('filtering_funnel') }} as funnel using (donation)
where register.status != 'superseded'
group by all
having coalesce(sum(funnel.documents), 0) != register.documents
