{{ config(schema='marts') }}
select id from {{ ref('aliased') }} where id > 1
