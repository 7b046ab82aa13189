{{ config(materialized='incremental') }}

select
    flight_date,
    origin,
    dest,
    count(*) as flights,
    avg(arr_delay) as mean_arrival_delay
from {{ ref('int_flights_completed') }}
{% if is_incremental() %}
where flight_date > (select max(flight_date) from {{ this }})
{% endif %}
group by flight_date, origin, dest
