{#- The laws of record accounting as generic tests. Each recounts from the relations and the stored
    keys; a row that comes back is a record that breaks the law. -#}
{% test zero_loss(model) %}{{ adapter.cdme_law_sql('zero_loss', model | string) }}{% endtest %}
{% test exclusive(model) %}{{ adapter.cdme_law_sql('exclusive', model | string) }}{% endtest %}
{% test round_trip(model) %}{{ adapter.cdme_law_sql('round_trip', model | string) }}{% endtest %}
{% test isomorphism(model) %}{{ adapter.cdme_law_sql('isomorphism', model | string) }}{% endtest %}
{% test covered_output(model) %}{{ adapter.cdme_law_sql('covered_output', model | string) }}{% endtest %}
{% test no_errors(model) %}{{ adapter.cdme_law_sql('no_errors', model | string) }}{% endtest %}
