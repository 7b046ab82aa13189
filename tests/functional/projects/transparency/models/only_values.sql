select * from (values (1, 'a'), (2, null)) as v(a, b)
