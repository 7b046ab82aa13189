-- with
boxes AS (SELECT p_partkey FROM tpch.part WHERE p_brand = 'Brand#23' AND p_container = 'MED BOX'),
lines AS (
    SELECT rowid AS line, l_partkey, l_quantity FROM tpch.lineitem WHERE l_partkey IN (FROM boxes)
),
small AS (SELECT l_partkey, 0.2 * avg(l_quantity) AS quantity FROM lines GROUP BY l_partkey),
kept AS (
    SELECT line, l_partkey FROM lines JOIN small USING (l_partkey) WHERE l_quantity < quantity
)
-- lineitem
SELECT CASE WHEN l_partkey NOT IN (FROM boxes) THEN 1
    WHEN rowid NOT IN (SELECT line FROM kept) THEN 2 ELSE 0 END AS class
FROM tpch.lineitem
-- part
SELECT CASE WHEN p_brand <> 'Brand#23' THEN 1 WHEN p_container <> 'MED BOX' THEN 2
    WHEN p_partkey NOT IN (SELECT l_partkey FROM kept) THEN 3 ELSE 0 END AS class
FROM tpch.part
