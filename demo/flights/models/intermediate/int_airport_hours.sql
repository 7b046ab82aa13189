select origin, year, month, day, hour
from {{ ref('stg_flights') }}
union
select origin, year, month, day, hour
from {{ ref('stg_weather') }}
