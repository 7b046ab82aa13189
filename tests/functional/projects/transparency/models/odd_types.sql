select id, 170141183460469231731687303715884105727::hugeint as h, 'ab'::blob as b, '101'::bit as bits,
       interval '1 month 2 days' as iv, '2024-01-01 00:00:00+00'::timestamptz as tz, time '12:00:00' as t,
       'b5b0a5a0-0000-0000-0000-000000000001'::uuid as u, '{"a": 1}'::json as j, 'nan'::double as n,
       '-infinity'::double as inf, price as signed_zero, 1.10::decimal(9, 4) as d, 7::utinyint as ut,
       'small'::enum('small', 'large') as size, timestamp_ns '2024-01-01 00:00:00.123456789' as ns,
       null as nothing
from {{ ref('orders') }}
