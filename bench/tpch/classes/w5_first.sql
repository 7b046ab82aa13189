-- orders
SELECT 0 AS class FROM tpch.orders
