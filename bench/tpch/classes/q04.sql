-- orders
SELECT CASE WHEN o_orderdate < DATE '1993-07-01' THEN 1
    WHEN o_orderdate >= DATE '1993-07-01' + INTERVAL 3 MONTH THEN 2
    WHEN o_orderkey NOT IN (SELECT l_orderkey FROM tpch.lineitem WHERE l_commitdate < l_receiptdate) THEN 3
    ELSE 0 END AS class
FROM tpch.orders
