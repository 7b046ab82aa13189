{{ config(persist_docs={'relation': true, 'columns': true}) }}
select id, note from {{ ref('orders') }}
