-- with
wanted AS (
    SELECT p_partkey FROM tpch.part
    WHERE p_brand <> 'Brand#45' AND p_type NOT LIKE 'MEDIUM POLISHED%'
        AND p_size IN (49, 14, 23, 45, 19, 3, 36, 9)
),
complained AS (SELECT s_suppkey FROM tpch.supplier WHERE s_comment LIKE '%Customer%Complaints%')
-- partsupp
SELECT CASE WHEN ps_partkey NOT IN (FROM wanted) THEN 1
    WHEN ps_suppkey IN (FROM complained) THEN 2 ELSE 0 END AS class
FROM tpch.partsupp
-- part
SELECT CASE WHEN p_brand = 'Brand#45' THEN 1 WHEN p_type LIKE 'MEDIUM POLISHED%' THEN 2
    WHEN p_size NOT IN (49, 14, 23, 45, 19, 3, 36, 9) THEN 3
    WHEN p_partkey NOT IN (SELECT ps_partkey FROM tpch.partsupp WHERE ps_suppkey NOT IN (FROM complained)) THEN 4
    ELSE 0 END AS class
FROM tpch.part
