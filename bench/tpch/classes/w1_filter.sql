-- lineitem
SELECT CASE WHEN l_shipdate < DATE '1994-06-01' THEN 1 WHEN l_quantity <= 5 THEN 2
    WHEN l_returnflag = 'A' THEN 3 ELSE 0 END AS class
FROM tpch.lineitem
