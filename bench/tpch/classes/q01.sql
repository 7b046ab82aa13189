-- lineitem
SELECT CASE WHEN l_shipdate > DATE '1998-12-01' - INTERVAL 90 DAY THEN 1 ELSE 0 END AS class
FROM tpch.lineitem
