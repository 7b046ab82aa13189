-- with
early AS (
    SELECT o_orderkey, o_custkey FROM tpch.orders
    WHERE o_orderdate < DATE '1995-03-15'
        AND o_custkey IN (SELECT c_custkey FROM tpch.customer WHERE c_mktsegment = 'BUILDING')
)
-- customer
SELECT CASE WHEN c_mktsegment <> 'BUILDING' THEN 1
    WHEN c_custkey NOT IN (SELECT o_custkey FROM early) THEN 2
    WHEN c_custkey NOT IN (SELECT o_custkey FROM early WHERE o_orderkey IN (SELECT l_orderkey FROM main.q03)) THEN 3
    ELSE 0 END AS class
FROM tpch.customer
-- orders
SELECT CASE WHEN o_orderdate >= DATE '1995-03-15' THEN 1
    WHEN o_custkey NOT IN (SELECT c_custkey FROM tpch.customer WHERE c_mktsegment = 'BUILDING') THEN 2
    WHEN o_orderkey NOT IN (SELECT l_orderkey FROM main.q03) THEN 3 ELSE 0 END AS class
FROM tpch.orders
-- lineitem
SELECT CASE WHEN l_shipdate <= DATE '1995-03-15' THEN 1
    WHEN l_orderkey NOT IN (SELECT o_orderkey FROM early) THEN 2
    WHEN l_orderkey NOT IN (SELECT l_orderkey FROM main.q03) THEN 3 ELSE 0 END AS class
FROM tpch.lineitem
