with departures as (
    select
        origin,
        year,
        month,
        day,
        hour,
        count(*) as scheduled,
        count(dep_time) as departed
    from {{ ref('stg_flights') }}
    group by origin, year, month, day, hour
)

select
    hours.origin,
    make_date(hours.year, hours.month, hours.day) as flight_date,
    hours.hour,
    coalesce(departures.scheduled, 0) as scheduled,
    coalesce(departures.departed, 0) as departed,
    weather.temperature_f,
    weather.wind_speed_mph,
    weather.precipitation_inches,
    weather.visibility_miles
from {{ ref('int_airport_hours') }} as hours
left join departures
    on
        hours.origin = departures.origin
        and hours.year = departures.year
        and hours.month = departures.month
        and hours.day = departures.day
        and hours.hour = departures.hour
left join {{ ref('stg_weather') }} as weather
    on
        hours.origin = weather.origin
        and hours.year = weather.year
        and hours.month = weather.month
        and hours.day = weather.day
        and hours.hour = weather.hour
