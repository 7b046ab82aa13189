{{ config(indexes=[{'columns': ['id'], 'unique': true}, {'columns': ['note']}]) }}
select id, note from {{ ref('orders') }}
