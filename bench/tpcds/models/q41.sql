select distinct i_product_name
from {{ source('tpcds', 'item') }} as i1
where i_manufact_id between 3 and 3 + 14
    and (
        select count(*) as item_cnt
        from {{ source('tpcds', 'item') }}
        where (i_manufact = i1.i_manufact and (
                (i_category = 'Women' and (i_color = 'powder' or i_color = 'khaki') and (i_units = 'Ounce' or i_units = 'Oz')
                    and (i_size = 'medium' or i_size = 'extra large'))
                or (i_category = 'Women' and (i_color = 'lace' or i_color = 'peach') and (i_units = 'Bunch' or i_units = 'Ton')
                    and (i_size = 'N/A' or i_size = 'small'))
                or (i_category = 'Men' and (i_color = 'slate' or i_color = 'pale') and (i_units = 'Dozen' or i_units = 'Each')
                    and (i_size = 'petite' or i_size = 'large'))
                or (i_category = 'Men' and (i_color = 'plum' or i_color = 'orchid') and (i_units = 'Pound' or i_units = 'Box')
                    and (i_size = 'medium' or i_size = 'extra large'))
            ))
            or (i_manufact = i1.i_manufact and (
                (i_category = 'Shoes' and (i_color = 'saddle' or i_color = 'chiffon') and (i_units = 'Ounce' or i_units = 'Pound')
                    and (i_size = 'medium' or i_size = 'small'))
                or (i_category = 'Music' and (i_color = 'blanched' or i_color = 'burnished') and (i_units = 'Ton' or i_units = 'Each')
                    and (i_size = 'petite' or i_size = 'economy'))
            ))
    ) > 0
order by i_product_name
limit 100
