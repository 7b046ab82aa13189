"""The project that is killed: one model of each materialization, and what each holds in each round.

A round is one dbt run. The seed is written anew before it and says its round in every row; every
model has other rows and another number of rows than in the round before. So rows, reverse joins and
ledger rows of different runs cannot be taken for each other.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from tests.functional.project import Project

YEAR = dt.date.today().year
"""A microbatch model reads batches up to now: this year's and the one before, all anew in each run."""
FILES = {
    "t.sql": "{{ config(materialized='table') }} select id, round from {{ ref('raw') }} where id % 2 = 0",
    "g.sql": "{{ config(materialized='table') }}\n"
    "select id // 4 as id, count(*) as n, max(round) as round from {{ ref('raw') }} group by 1",
    "v.sql": "{{ config(materialized='view') }} select id, round from {{ ref('raw') }} where id % 5 = 0",
    "i.sql": "{{ config(materialized='incremental', unique_key='id') }}\n"
    "select id, round from {{ ref('raw') }}\n"
    "{% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}",
    "a.sql": "{{ config(materialized='incremental', incremental_strategy='append') }}\n"
    "select id, round from {{ ref('raw') }}\n"
    "{% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}",
    "d.sql": "{{ config(materialized='incremental', unique_key='id',"
    " incremental_strategy='delete+insert') }}\n"
    "select id, round from {{ ref('raw') }}\n"
    "{% if is_incremental() %} where id > (select max(id) - 5 from {{ this }}) {% endif %}",
    "m.sql": "{{ config(materialized='incremental', unique_key='id', incremental_strategy='merge') }}\n"
    "select id, round from {{ ref('raw') }} where id % 3 > 0\n"
    "{% if is_incremental() %} and id > 9 {% endif %}",
    "b.sql": "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='day',"
    f" batch_size='year', lookback=1, begin='{YEAR - 1}-01-01') }}}}\n"
    "select id, round, day from {{ ref('raw') }} where id % 4 > 0",
    "e.sql": "{{ config(materialized='external', format='parquet') }}\n"
    "select id, round from {{ ref('raw') }} where id % 7 <> 0",
    "c.sql": "{{ config(materialized='external', format='csv') }}\n"
    "select id, round from {{ ref('raw') }} where id % 6 <> 0",
    "x.sql": "{{ config(materialized='external', format='parquet',"
    " options={'partition_by': 'half', 'overwrite': 1}) }}\n"
    "select id, round, id % 2 as half from {{ ref('raw') }} where id % 8 <> 0",
    "p.py": "def model(dbt, session):\n    dbt.config(materialized='table')\n"
    "    return dbt.ref('raw').filter('id % 3 = 0').project('id, round')\n",
    "snapshots/s.sql": "{% snapshot s %}{{ config(unique_key='id', strategy='check', check_cols=['v'],"
    " target_schema='main') }} select id, v, round from {{ ref('raw') }}{% endsnapshot %}",
    "keys.yml": "{version: 2, models: ["
    + ", ".join(f"{{name: {name}, config: {{meta: {{cdme: {{key: id}}}}}}}}" for name in "tgiepadmbc")
    + "], seeds: [{name: raw, config: {event_time: day, column_types: {day: timestamp},"
    " meta: {cdme: {key: id}}}}]}",
}
MODELS = ("raw", "t", "g", "v", "i", "e", "p", "s")
"""What ``make test`` kills, all in one run."""
MORE = ("a", "d", "m", "b", "c", "x")
"""Append, delete+insert, merge, microbatch; external as CSV, and in partitions."""


def size(number: int) -> int:
    """The rows of the seed in a round."""
    return 20 + 3 * number


@dataclass
class World:
    """The project on disk, the number of the present round, and which run was which round."""

    root: Path
    number: int = 0
    rounds: dict[str, int] = field(default_factory=dict)
    """Round by run id."""

    def __post_init__(self) -> None:
        self.project = Project(self.root)
        self.project.profile["external_root"] = str(self.root / "files")
        self.project.configure()
        (self.root / "files").mkdir(exist_ok=True)
        self.project.write(FILES)
        self.next_round()

    def next_round(self) -> None:
        """Write the seed of the next round. ``v`` of one of the first seven rows changes in each."""
        self.number += 1
        now = self.number
        rows = (
            f"{n},{now - (now - n) % 7 if n <= 7 else 0},{now},{YEAR - n // 2 % 2}-01-01 00:00:00"
            for n in range(1, size(now) + 1)
        )
        (self.root / "seeds").mkdir(exist_ok=True)
        (self.root / "seeds/raw.csv").write_text("id,v,round,day\n" + "\n".join(rows) + "\n")


def expected(model: str, number: int) -> set[int] | None:
    """The ids of a model's rows when round ``number`` built it; None where earlier rounds matter too."""
    everything = range(1, size(number) + 1)
    rules = {
        "raw": lambda n: True, "t": lambda n: n % 2 == 0, "v": lambda n: n % 5 == 0,
        "e": lambda n: n % 7 != 0, "p": lambda n: n % 3 == 0, "i": lambda n: True,
        "a": lambda n: True, "d": lambda n: True, "m": lambda n: n % 3 > 0, "c": lambda n: n % 6 != 0,
        "x": lambda n: n % 8 != 0,
    }  # fmt: skip
    if model == "g":
        return {n // 4 for n in everything}
    return {n for n in everything if rules[model](n)} if model in rules else None
