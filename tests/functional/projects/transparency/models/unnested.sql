select id, unnest(string_split(note, ' ')) as word from {{ ref('orders') }}
