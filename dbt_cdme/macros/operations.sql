{#- Each operation is one call into the adapter; arguments are those of the command of that name:
    dbt run-operation cdme_trace --args '{model: mart_daily, where: "flights > 900"}' -#}
{% macro cdme_reconcile() %}{% do adapter.cdme_operation('reconcile', kwargs) %}{% endmacro %}
{% macro cdme_trace() %}{% do adapter.cdme_operation('trace', kwargs) %}{% endmacro %}
{% macro cdme_impact() %}{% do adapter.cdme_operation('impact', kwargs) %}{% endmacro %}
{% macro cdme_explain() %}{% do adapter.cdme_operation('explain', kwargs) %}{% endmacro %}
{% macro cdme_validate() %}{% do adapter.cdme_operation('validate', kwargs) %}{% endmacro %}
{% macro cdme_ledger() %}{% do adapter.cdme_operation('ledger', kwargs) %}{% endmacro %}
{% macro cdme_errors() %}{% do adapter.cdme_operation('errors', kwargs) %}{% endmacro %}
{% macro cdme_emit() %}{% do adapter.cdme_operation('emit', kwargs) %}{% endmacro %}
