-- customer
SELECT CASE WHEN c_custkey NOT IN (SELECT c_custkey FROM main.q18) THEN 1 ELSE 0 END AS class
FROM tpch.customer
-- orders
SELECT CASE WHEN o_orderkey NOT IN (SELECT o_orderkey FROM main.q18) THEN 1 ELSE 0 END AS class
FROM tpch.orders
-- lineitem
SELECT CASE WHEN l_orderkey NOT IN (SELECT o_orderkey FROM main.q18) THEN 1 ELSE 0 END AS class
FROM tpch.lineitem
