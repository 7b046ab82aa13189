select
    origin,
    year,
    month,
    day,
    hour,
    temp as temperature_f,
    wind_speed as wind_speed_mph,
    precip as precipitation_inches,
    visib as visibility_miles
from {{ source('raw', 'weather') }}
