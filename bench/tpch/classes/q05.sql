-- with
asia AS (
    SELECT n_nationkey, r_regionkey FROM tpch.nation JOIN tpch.region ON n_regionkey = r_regionkey WHERE r_name = 'ASIA'
),
kept AS (
    SELECT l.rowid AS line, o_orderkey, c_custkey, s_suppkey, n_nationkey, r_regionkey
    FROM tpch.customer
    JOIN tpch.orders ON c_custkey = o_custkey
    JOIN tpch.lineitem l ON l_orderkey = o_orderkey
    JOIN tpch.supplier ON l_suppkey = s_suppkey AND c_nationkey = s_nationkey
    JOIN asia ON s_nationkey = n_nationkey
    WHERE o_orderdate >= DATE '1994-01-01' AND o_orderdate < DATE '1994-01-01' + INTERVAL 1 YEAR
)
-- customer
SELECT CASE WHEN c_nationkey NOT IN (SELECT n_nationkey FROM asia) THEN 1
    WHEN c_custkey NOT IN (SELECT c_custkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.customer
-- orders
SELECT CASE WHEN o_orderdate < DATE '1994-01-01' THEN 1
    WHEN o_orderdate >= DATE '1994-01-01' + INTERVAL 1 YEAR THEN 2
    WHEN o_orderkey NOT IN (SELECT o_orderkey FROM kept) THEN 3 ELSE 0 END AS class
FROM tpch.orders
-- lineitem
SELECT CASE WHEN rowid NOT IN (SELECT line FROM kept) THEN 1 ELSE 0 END AS class
FROM tpch.lineitem
-- supplier
SELECT CASE WHEN s_nationkey NOT IN (SELECT n_nationkey FROM asia) THEN 1
    WHEN s_suppkey NOT IN (SELECT s_suppkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.supplier
-- nation
SELECT CASE WHEN n_nationkey NOT IN (SELECT n_nationkey FROM asia) THEN 1
    WHEN n_nationkey NOT IN (SELECT n_nationkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.nation
-- region
SELECT CASE WHEN r_name <> 'ASIA' THEN 1
    WHEN r_regionkey NOT IN (SELECT r_regionkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.region
