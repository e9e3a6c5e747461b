with decided as (

    select
        donation,
        outcome,
        stage,
        rule,
        count(*) as documents,
        cast(sum(n_char) as bigint) as characters
    from {{ ref('stg_decision') }}
    group by all

),

delivered as (

    select donation, cast(sum(documents) as bigint) as documents
    from {{ ref('stg_source_file') }}
    group by donation

),

undecided as (

    select
        donation,
        'undecided' as outcome,
        '' as stage,
        '' as rule,
        delivered.documents - coalesce(counted.documents, 0) as documents,
        cast(null as bigint) as characters
    from delivered
    left join (
        select donation, cast(sum(documents) as bigint) as documents from decided group by donation
    ) as counted using (donation)
    where delivered.documents > coalesce(counted.documents, 0)

)

select donation, outcome, stage, rule, documents, characters from decided
union all
select donation, outcome, stage, rule, documents, characters from undecided
