-- customer
SELECT 0 AS class FROM tpch.customer
-- orders
SELECT CASE WHEN o_comment LIKE '%special%requests%' THEN 1
    WHEN o_custkey NOT IN (SELECT c_custkey FROM tpch.customer) THEN 2 ELSE 0 END AS class
FROM tpch.orders
