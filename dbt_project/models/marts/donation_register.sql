with gates as (

    select
        partition as donation,
        count(distinct gate) as gates_judged,
        count(distinct gate) filter (not admitted) as gates_refused,
        min(valid_until) as valid_until,
        coalesce(
            string_agg(reason, ' ' order by gate, measure)
                filter (not passed and severity = 'critical'),
            ''
        ) as refused_because,
        coalesce(
            string_agg(reason_da, ' ' order by gate, measure)
                filter (not passed and severity = 'critical'),
            ''
        ) as refused_because_da
    from {{ ref('stg_gate_result') }}
    where gate in ('approval', 'statistics', 'language', 'personal_data')
    group by partition

),

read_files as (

    select
        donation,
        cast(sum(documents) as bigint) as documents,
        count(*) filter (outcome not in ('ok', 'empty')) as files_not_read
    from {{ ref('stg_source_file') }}
    group by donation

),

kept as (

    select donation, count(*) as documents_kept
    from {{ ref('stg_decision') }}
    where outcome = 'kept'
    group by donation

),

sharded as (

    select donation, cast(sum(tokens) as bigint) as tokens
    from {{ ref('stg_shard_span') }}
    group by donation

)

select
    donation.* exclude (is_current),
    case
        when not donation.is_current then 'superseded'
        when coalesce(gates.gates_refused, 0) > 0 then 'refused'
        when gates.gates_judged = 4 then 'admitted'
        else 'in progress'
    end as status,
    coalesce(gates.refused_because, '') as refused_because,
    coalesce(gates.refused_because_da, '') as refused_because_da,
    gates.valid_until,
    coalesce(read_files.files_not_read, 0) as files_not_read,
    coalesce(read_files.documents, 0) as documents,
    coalesce(kept.documents_kept, 0) as documents_kept,
    coalesce(sharded.tokens, 0) as tokens
from {{ ref('stg_donation') }} as donation
left join gates using (donation)
left join read_files using (donation)
left join kept using (donation)
left join sharded using (donation)
