-- supplier
SELECT CASE WHEN s_nationkey NOT IN (SELECT n_nationkey FROM tpch.nation WHERE n_name = 'CANADA') THEN 1
    WHEN s_name NOT IN (SELECT s_name FROM main.q20) THEN 2 ELSE 0 END AS class
FROM tpch.supplier
-- nation
SELECT CASE WHEN n_name <> 'CANADA' THEN 1 WHEN (SELECT count(*) FROM main.q20) = 0 THEN 2 ELSE 0 END AS class
FROM tpch.nation
