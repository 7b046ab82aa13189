-- lineitem
SELECT CASE WHEN l_orderkey NOT IN (SELECT o_orderkey FROM tpch.orders) THEN 1 ELSE 0 END AS class
FROM tpch.lineitem
-- orders
SELECT CASE WHEN o_orderkey NOT IN (SELECT l_orderkey FROM tpch.lineitem) THEN 1 ELSE 0 END AS class
FROM tpch.orders
