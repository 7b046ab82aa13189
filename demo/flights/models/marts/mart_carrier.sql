select
    legs.carrier,
    airlines.airline_name,
    count(*) as flight_numbers_flown,
    count(distinct legs.tailnum) as planes,
    avg(legs.arr_delay) as mean_arrival_delay,
    sum(legs.distance) as miles
from {{ ref('int_flights_first_legs') }} as legs
inner join {{ ref('stg_airlines') }} as airlines
    on legs.carrier = airlines.carrier
group by legs.carrier, airlines.airline_name
having count(*) >= 100
