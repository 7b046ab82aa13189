{% snapshot customers_history %}
    {{
        config(
            target_schema='shop',
            unique_key='customer_id',
            strategy='timestamp',
            updated_at='updated_at',
        )
    }}
    select * from {{ ref('raw_customers') }}
{% endsnapshot %}
