-- customer
SELECT CASE WHEN substring(c_phone FROM 1 FOR 2) NOT IN ('13', '31', '23', '29', '30', '18', '17') THEN 1
    WHEN c_acctbal <= (
        SELECT avg(c_acctbal) FROM tpch.customer
        WHERE c_acctbal > 0.00
            AND substring(c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17')
    ) THEN 2
    WHEN c_custkey IN (SELECT o_custkey FROM tpch.orders) THEN 3 ELSE 0 END AS class
FROM tpch.customer
