select *
from {{ ref('int_flights_enriched') }}
where
    dep_time is not null
    and arr_delay is not null
