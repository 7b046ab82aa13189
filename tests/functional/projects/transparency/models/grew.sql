select id {% if var('extra_column') %}, note {% endif %} from {{ ref('orders') }}
