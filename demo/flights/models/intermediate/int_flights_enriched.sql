select
    flights.flight_date,
    flights.hour,
    flights.carrier,
    airlines.airline_name,
    flights.flight,
    flights.tailnum,
    planes.manufacturer,
    planes.seats,
    flights.origin,
    flights.dest,
    airports.airport_name as dest_name,
    flights.sched_dep_time,
    flights.dep_time,
    flights.dep_delay,
    flights.arr_time,
    flights.arr_delay,
    flights.air_time,
    flights.distance,
    weather.temperature_f,
    weather.wind_speed_mph,
    weather.precipitation_inches,
    weather.visibility_miles
from {{ ref('stg_flights') }} as flights
left join {{ ref('stg_planes') }} as planes
    on flights.tailnum = planes.tailnum
left join {{ ref('stg_airlines') }} as airlines
    on flights.carrier = airlines.carrier
left join {{ ref('stg_airports') }} as airports
    on flights.dest = airports.faa
left join {{ ref('stg_weather') }} as weather
    on
        flights.origin = weather.origin
        and flights.year = weather.year
        and flights.month = weather.month
        and flights.day = weather.day
        and flights.hour = weather.hour
