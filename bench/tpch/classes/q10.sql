-- with
quarter AS (
    SELECT o_orderkey, o_custkey FROM tpch.orders
    WHERE o_orderdate >= DATE '1993-10-01' AND o_orderdate < DATE '1993-10-01' + INTERVAL 3 MONTH
)
-- customer
SELECT CASE WHEN c_custkey NOT IN (SELECT o_custkey FROM quarter) THEN 1
    WHEN c_custkey NOT IN (SELECT c_custkey FROM main.q10) THEN 2 ELSE 0 END AS class
FROM tpch.customer
-- orders
SELECT CASE WHEN o_orderdate < DATE '1993-10-01' THEN 1
    WHEN o_orderdate >= DATE '1993-10-01' + INTERVAL 3 MONTH THEN 2
    WHEN o_orderkey NOT IN (SELECT l_orderkey FROM tpch.lineitem WHERE l_returnflag = 'R') THEN 3
    WHEN o_custkey NOT IN (SELECT c_custkey FROM main.q10) THEN 4 ELSE 0 END AS class
FROM tpch.orders
-- lineitem
SELECT CASE WHEN l_returnflag <> 'R' THEN 1
    WHEN l_orderkey NOT IN (SELECT o_orderkey FROM quarter) THEN 2
    WHEN l_orderkey NOT IN (SELECT o_orderkey FROM quarter WHERE o_custkey IN (SELECT c_custkey FROM main.q10)) THEN 3
    ELSE 0 END AS class
FROM tpch.lineitem
-- nation
SELECT CASE WHEN n_name NOT IN (SELECT n_name FROM main.q10) THEN 1 ELSE 0 END AS class
FROM tpch.nation
