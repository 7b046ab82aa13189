-- lineitem
SELECT CASE WHEN l_shipdate < DATE '1996-01-01' THEN 1
    WHEN l_shipdate >= DATE '1996-01-01' + INTERVAL 3 MONTH THEN 2
    WHEN l_suppkey NOT IN (SELECT s_suppkey FROM main.q15) THEN 3 ELSE 0 END AS class
FROM tpch.lineitem
-- supplier
SELECT CASE WHEN s_suppkey NOT IN (SELECT s_suppkey FROM main.q15) THEN 1 ELSE 0 END AS class
FROM tpch.supplier
