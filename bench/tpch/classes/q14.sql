-- with
kept AS (
    SELECT l.rowid AS line, p_partkey FROM tpch.lineitem l JOIN tpch.part ON l_partkey = p_partkey
    WHERE l_shipdate >= DATE '1995-09-01' AND l_shipdate < DATE '1995-09-01' + INTERVAL 1 MONTH
)
-- lineitem
SELECT CASE WHEN l_shipdate < DATE '1995-09-01' THEN 1
    WHEN l_shipdate >= DATE '1995-09-01' + INTERVAL 1 MONTH THEN 2
    WHEN rowid NOT IN (SELECT line FROM kept) THEN 3 ELSE 0 END AS class
FROM tpch.lineitem
-- part
SELECT CASE WHEN p_partkey NOT IN (SELECT p_partkey FROM kept) THEN 1 ELSE 0 END AS class
FROM tpch.part
