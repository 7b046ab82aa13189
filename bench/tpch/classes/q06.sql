-- lineitem
SELECT CASE WHEN l_shipdate < DATE '1994-01-01' THEN 1
    WHEN l_shipdate >= DATE '1994-01-01' + INTERVAL 1 YEAR THEN 2
    WHEN l_discount NOT BETWEEN 0.06 - 0.01 AND 0.06 + 0.01 THEN 3
    WHEN l_quantity >= 24 THEN 4 ELSE 0 END AS class
FROM tpch.lineitem
