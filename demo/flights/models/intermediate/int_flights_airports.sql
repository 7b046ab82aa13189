select
    flights.flight_date,
    flights.carrier,
    flights.flight,
    flights.origin,
    flights.dest,
    airports.airport_name as dest_name,
    airports.latitude as dest_latitude,
    airports.longitude as dest_longitude,
    airports.time_zone as dest_time_zone
from {{ ref('stg_flights') }} as flights
inner join {{ ref('stg_airports') }} as airports
    on flights.dest = airports.faa
