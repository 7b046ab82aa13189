-- with
both_nations AS (SELECT n_nationkey FROM tpch.nation WHERE n_name IN ('FRANCE', 'GERMANY')),
kept AS (
    SELECT l.rowid AS line, o_orderkey, c_custkey, s_suppkey, s_nationkey, c_nationkey
    FROM tpch.supplier
    JOIN tpch.lineitem l ON s_suppkey = l_suppkey
    JOIN tpch.orders ON o_orderkey = l_orderkey
    JOIN tpch.customer ON c_custkey = o_custkey
    WHERE s_nationkey IN (FROM both_nations) AND c_nationkey IN (FROM both_nations)
        AND s_nationkey <> c_nationkey
        AND l_shipdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31'
)
-- supplier
SELECT CASE WHEN s_nationkey NOT IN (FROM both_nations) THEN 1
    WHEN s_suppkey NOT IN (SELECT s_suppkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.supplier
-- lineitem
SELECT CASE WHEN l_shipdate NOT BETWEEN DATE '1995-01-01' AND DATE '1996-12-31' THEN 1
    WHEN rowid NOT IN (SELECT line FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.lineitem
-- orders
SELECT CASE WHEN o_orderkey NOT IN (SELECT o_orderkey FROM kept) THEN 1 ELSE 0 END AS class
FROM tpch.orders
-- customer
SELECT CASE WHEN c_nationkey NOT IN (FROM both_nations) THEN 1
    WHEN c_custkey NOT IN (SELECT c_custkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.customer
-- nation
SELECT CASE WHEN n_name NOT IN ('FRANCE', 'GERMANY') THEN 1
    WHEN n_nationkey NOT IN (SELECT unnest([s_nationkey, c_nationkey]) FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.nation
