select note, sum(price) as s from {{ ref('an_ephemeral') }} group by note
