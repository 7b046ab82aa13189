select
    flights.flight_date,
    flights.carrier,
    flights.flight,
    flights.origin,
    flights.dest,
    flights.distance,
    flights.tailnum,
    planes.manufacturer,
    planes.plane_model,
    planes.built_year,
    planes.seats
from {{ ref('stg_flights') }} as flights
inner join {{ ref('stg_planes') }} as planes
    on flights.tailnum = planes.tailnum
