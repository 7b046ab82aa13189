-- with
german AS (
    SELECT s_suppkey, n_nationkey FROM tpch.supplier JOIN tpch.nation ON s_nationkey = n_nationkey
    WHERE n_name = 'GERMANY'
),
kept AS (
    SELECT s_suppkey, n_nationkey FROM tpch.partsupp JOIN german ON ps_suppkey = s_suppkey
    WHERE ps_partkey IN (SELECT ps_partkey FROM main.q11)
)
-- partsupp
SELECT CASE WHEN ps_suppkey NOT IN (SELECT s_suppkey FROM german) THEN 1
    WHEN ps_partkey NOT IN (SELECT ps_partkey FROM main.q11) THEN 2 ELSE 0 END AS class
FROM tpch.partsupp
-- supplier
SELECT CASE WHEN s_suppkey NOT IN (SELECT s_suppkey FROM german) THEN 1
    WHEN s_suppkey NOT IN (SELECT s_suppkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.supplier
-- nation
SELECT CASE WHEN n_name <> 'GERMANY' THEN 1
    WHEN n_nationkey NOT IN (SELECT n_nationkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.nation
