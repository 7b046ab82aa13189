select range as n, range * 0.1::double as x from range(10)
