-- with
green AS (SELECT p_partkey FROM tpch.part WHERE p_name LIKE '%green%'),
kept AS (
    SELECT l.rowid AS line, p_partkey, s_suppkey, s_nationkey, ps_partkey, ps_suppkey, o_orderkey
    FROM green
    JOIN tpch.lineitem l ON p_partkey = l_partkey
    JOIN tpch.supplier ON s_suppkey = l_suppkey
    JOIN tpch.partsupp ON ps_suppkey = l_suppkey AND ps_partkey = l_partkey
    JOIN tpch.orders ON o_orderkey = l_orderkey
    JOIN tpch.nation ON s_nationkey = n_nationkey
)
-- part
SELECT CASE WHEN p_name NOT LIKE '%green%' THEN 1
    WHEN p_partkey NOT IN (SELECT p_partkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.part
-- supplier
SELECT CASE WHEN s_suppkey NOT IN (SELECT s_suppkey FROM kept) THEN 1 ELSE 0 END AS class
FROM tpch.supplier
-- lineitem
SELECT CASE WHEN l_partkey NOT IN (FROM green) THEN 1
    WHEN rowid NOT IN (SELECT line FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.lineitem
-- partsupp
SELECT CASE WHEN ps_partkey NOT IN (FROM green) THEN 1
    WHEN (ps_partkey, ps_suppkey) NOT IN (SELECT (ps_partkey, ps_suppkey) FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.partsupp
-- orders
SELECT CASE WHEN o_orderkey NOT IN (SELECT o_orderkey FROM kept) THEN 1 ELSE 0 END AS class
FROM tpch.orders
-- nation
SELECT CASE WHEN n_nationkey NOT IN (SELECT s_nationkey FROM kept) THEN 1 ELSE 0 END AS class
FROM tpch.nation
