select
    partition as donation,
    cast(max(actual) filter (measure = 'canaries_planted') as bigint) as canaries_planted,
    cast(max(actual) filter (measure = 'canaries_missed') as bigint) as canaries_missed,
    cast(max(actual) filter (measure = 'residual_findings') as bigint) as residual_findings,
    case
        when max(actual) filter (measure = 'reviewed') = 1 then 'reviewed' else 'not reviewed'
    end as review,
    coalesce(max(actual) filter (measure = 'recall_measured') = 1, false) as recall_measured,
    max(actual) filter (measure = 'leaks_at_most') as leaks_at_most
from {{ ref('stg_gate_result') }}
where gate = 'personal_data'
group by partition
