{{ config(description='Each mart has one row for each combination of the columns of its grain.') }}

{% set grains = {
    'filtering_funnel': 'donation, outcome, stage, rule',
    'personal_data_counts': 'donation, entity_type, action',
    'personal_data_outcomes': 'donation, outcome, reason',
    'residual_risk': 'donation',
    'measured_recall': 'kind, name, data_set',
    'tokens_by_donor_licence_language': 'donation, language',
    'corpus_composition': 'release, donation',
    'checkpoint_exposure': 'checkpoint, donation',
    'gate_overview': 'gate, partition',
    'gate_findings': 'gate, partition, judged_asset, measure, expected',
} %}

{% for mart, grain in grains.items() %}
select '{{ mart }}' as mart, count(*) as duplicates
from (select {{ grain }} from {{ ref(mart) }} group by all having count(*) > 1)
having count(*) > 0
{{ 'union all' if not loop.last }}
{% endfor %}
