select
    tailnum,
    year as built_year,
    type as plane_type,
    manufacturer,
    model as plane_model,
    engines,
    seats
from {{ source('raw', 'planes') }}
