select *
from read_csv(
    'added/corrections.csv',
    header = true,
    columns = {
        'year': 'INTEGER', 'month': 'INTEGER', 'day': 'INTEGER', 'carrier': 'VARCHAR',
        'flight': 'INTEGER', 'origin': 'VARCHAR', 'dep_time': 'INTEGER', 'arr_time': 'INTEGER',
        'air_time': 'INTEGER'
    }
)
