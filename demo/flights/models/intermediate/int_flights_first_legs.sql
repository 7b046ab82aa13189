select *
from {{ ref('int_flights_completed') }}
qualify
    row_number() over (
        partition by flight_date, carrier, flight
        order by sched_dep_time, origin
    ) = 1
