-- lineitem
SELECT CASE WHEN (l_orderkey, l_linenumber) NOT IN (SELECT (l_orderkey, l_linenumber) FROM main.w3_dedup) THEN 1
    ELSE 0 END AS class
FROM tpch.lineitem
