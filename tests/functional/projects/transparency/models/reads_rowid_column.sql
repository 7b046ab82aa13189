select rowid, note from {{ ref('rowid_column') }} where rowid > 300
