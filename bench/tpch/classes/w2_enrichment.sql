-- lineitem
SELECT 0 AS class FROM tpch.lineitem
-- part
SELECT CASE WHEN p_partkey NOT IN (SELECT l_partkey FROM tpch.lineitem) THEN 1 ELSE 0 END AS class
FROM tpch.part
-- supplier
SELECT CASE WHEN s_suppkey NOT IN (SELECT l_suppkey FROM tpch.lineitem) THEN 1 ELSE 0 END AS class
FROM tpch.supplier
-- orders
SELECT CASE WHEN o_orderkey NOT IN (SELECT l_orderkey FROM tpch.lineitem) THEN 1 ELSE 0 END AS class
FROM tpch.orders
