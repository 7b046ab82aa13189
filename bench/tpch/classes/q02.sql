-- with
europe AS (
    SELECT n_nationkey FROM tpch.nation JOIN tpch.region ON n_regionkey = r_regionkey WHERE r_name = 'EUROPE'
),
kept AS (
    SELECT p_partkey, s_suppkey, s_nationkey FROM main.q02 JOIN tpch.supplier USING (s_name)
)
-- part
SELECT CASE WHEN p_size <> 15 THEN 1 WHEN p_type NOT LIKE '%BRASS' THEN 2
    WHEN p_partkey NOT IN (SELECT p_partkey FROM kept) THEN 3 ELSE 0 END AS class
FROM tpch.part
-- supplier
SELECT CASE WHEN s_nationkey NOT IN (FROM europe) THEN 1
    WHEN s_suppkey NOT IN (SELECT s_suppkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.supplier
-- partsupp
SELECT CASE
    WHEN ps_partkey NOT IN (SELECT p_partkey FROM tpch.part WHERE p_size = 15 AND p_type LIKE '%BRASS') THEN 1
    WHEN (ps_partkey, ps_suppkey) NOT IN (SELECT (p_partkey, s_suppkey) FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.partsupp
-- nation
SELECT CASE WHEN n_nationkey NOT IN (FROM europe) THEN 1
    WHEN n_nationkey NOT IN (SELECT s_nationkey FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.nation
-- region
SELECT CASE WHEN r_name <> 'EUROPE' THEN 1 WHEN (SELECT count(*) FROM kept) = 0 THEN 2 ELSE 0 END AS class
FROM tpch.region
