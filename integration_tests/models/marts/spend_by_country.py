def model(dbt, session):
    dbt.config(materialized="table")
    orders = dbt.ref("orders_with_customers")
    return orders.aggregate("country, sum(amount) AS amount", "country")
