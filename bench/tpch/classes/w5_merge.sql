-- orders
SELECT CASE WHEN o_orderkey % 10 = 3 OR o_orderkey IN (SELECT o_orderkey FROM main.w5_merge) THEN 0
    ELSE 1 END AS class
FROM tpch.orders
