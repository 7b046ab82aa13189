-- with
america AS (
    SELECT n_nationkey, r_regionkey FROM tpch.nation JOIN tpch.region ON n_regionkey = r_regionkey
    WHERE r_name = 'AMERICA'
),
kept AS (
    SELECT l.rowid AS line, p_partkey, s_suppkey, s_nationkey, o_orderkey, c_custkey, c_nationkey, r_regionkey
    FROM tpch.part
    JOIN tpch.lineitem l ON p_partkey = l_partkey
    JOIN tpch.supplier ON s_suppkey = l_suppkey
    JOIN tpch.orders ON l_orderkey = o_orderkey
    JOIN tpch.customer ON o_custkey = c_custkey
    JOIN america ON c_nationkey = n_nationkey
    WHERE o_orderdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31' AND p_type = 'ECONOMY ANODIZED STEEL'
)
-- part
SELECT CASE WHEN p_type <> 'ECONOMY ANODIZED STEEL' THEN 1
    WHEN p_partkey NOT IN (SELECT p_partkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.part
-- supplier
SELECT CASE WHEN s_suppkey NOT IN (SELECT s_suppkey FROM kept) THEN 1 ELSE 0 END AS class
FROM tpch.supplier
-- lineitem
SELECT CASE
    WHEN l_partkey NOT IN (SELECT p_partkey FROM tpch.part WHERE p_type = 'ECONOMY ANODIZED STEEL') THEN 1
    WHEN rowid NOT IN (SELECT line FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.lineitem
-- orders
SELECT CASE WHEN o_orderdate NOT BETWEEN DATE '1995-01-01' AND DATE '1996-12-31' THEN 1
    WHEN o_orderkey NOT IN (SELECT o_orderkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.orders
-- customer
SELECT CASE WHEN c_nationkey NOT IN (SELECT n_nationkey FROM america) THEN 1
    WHEN c_custkey NOT IN (SELECT c_custkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.customer
-- nation
SELECT CASE WHEN n_nationkey NOT IN (SELECT unnest([s_nationkey, c_nationkey]) FROM kept) THEN 1 ELSE 0 END AS class
FROM tpch.nation
-- region
SELECT CASE WHEN r_name <> 'AMERICA' THEN 1
    WHEN r_regionkey NOT IN (SELECT r_regionkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.region
