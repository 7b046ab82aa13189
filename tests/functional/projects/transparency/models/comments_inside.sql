-- a comment with a ; and a 'quote
select id /* not; this */, ';' as semicolon from {{ ref('orders') }} -- last line
