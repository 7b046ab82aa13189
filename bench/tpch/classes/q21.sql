-- with
kept AS (
    SELECT l1.rowid AS line, o_orderkey
    FROM tpch.supplier
    JOIN tpch.lineitem l1 ON s_suppkey = l1.l_suppkey
    JOIN tpch.orders ON o_orderkey = l1.l_orderkey
    JOIN main.q21 USING (s_name)
    WHERE o_orderstatus = 'F' AND l1.l_receiptdate > l1.l_commitdate
        AND EXISTS (
            SELECT 1 FROM tpch.lineitem l2
            WHERE l2.l_orderkey = l1.l_orderkey AND l2.l_suppkey <> l1.l_suppkey
        )
        AND NOT EXISTS (
            SELECT 1 FROM tpch.lineitem l3
            WHERE l3.l_orderkey = l1.l_orderkey AND l3.l_suppkey <> l1.l_suppkey
                AND l3.l_receiptdate > l3.l_commitdate
        )
)
-- supplier
SELECT CASE WHEN s_nationkey NOT IN (SELECT n_nationkey FROM tpch.nation WHERE n_name = 'SAUDI ARABIA') THEN 1
    WHEN s_name NOT IN (SELECT s_name FROM main.q21) THEN 2 ELSE 0 END AS class
FROM tpch.supplier
-- lineitem
SELECT CASE WHEN l_receiptdate <= l_commitdate THEN 1
    WHEN rowid NOT IN (SELECT line FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.lineitem
-- orders
SELECT CASE WHEN o_orderstatus <> 'F' THEN 1
    WHEN o_orderkey NOT IN (SELECT o_orderkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.orders
-- nation
SELECT CASE WHEN n_name <> 'SAUDI ARABIA' THEN 1 WHEN (SELECT count(*) FROM main.q21) = 0 THEN 2 ELSE 0 END AS class
FROM tpch.nation
