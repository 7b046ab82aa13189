-- with
kept AS (
    SELECT l.rowid AS line, o_orderkey FROM tpch.orders JOIN tpch.lineitem l ON o_orderkey = l_orderkey
    WHERE l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate AND l_shipdate < l_commitdate
        AND l_receiptdate >= DATE '1994-01-01' AND l_receiptdate < DATE '1994-01-01' + INTERVAL 1 YEAR
)
-- orders
SELECT CASE WHEN o_orderkey NOT IN (SELECT o_orderkey FROM kept) THEN 1 ELSE 0 END AS class
FROM tpch.orders
-- lineitem
SELECT CASE WHEN l_shipmode NOT IN ('MAIL', 'SHIP') THEN 1
    WHEN l_commitdate >= l_receiptdate THEN 2
    WHEN l_shipdate >= l_commitdate THEN 3
    WHEN l_receiptdate < DATE '1994-01-01' THEN 4
    WHEN l_receiptdate >= DATE '1994-01-01' + INTERVAL 1 YEAR THEN 5
    WHEN rowid NOT IN (SELECT line FROM kept) THEN 6 ELSE 0 END AS class
FROM tpch.lineitem
