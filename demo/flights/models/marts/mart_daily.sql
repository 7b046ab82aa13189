select
    flight_date,
    origin,
    count(*) as flights,
    sum(distance) as miles,
    avg(dep_delay) as mean_departure_delay,
    avg(arr_delay) as mean_arrival_delay,
    max(arr_delay) as worst_arrival_delay,
    count(*) filter (where arr_delay > 15) as late_flights
from {{ ref('int_flights_completed') }}
group by flight_date, origin
