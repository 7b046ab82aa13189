"""The examples of docs/python.md run, and give what stands there."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

import cdme_adapter
from tests.functional.project import Project, release

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
SOURCES = """
sources:
  - name: shop
    schema: main
    tables:
      - name: customers
        config: {meta: {cdme: {key: id, pii: [email]}}}
      - name: orders
        config: {meta: {cdme: {key: id}}}
"""


def models() -> dict[str, str]:
    """The models that the page shows, by file."""
    block = PAGE.read_text().split("```sql\n")[1].split("```")[0]
    found = {}
    for part in block.split("-- models/")[1:]:
        name, _, sql = part.partition("\n")
        found[name] = "{{ config(materialized='table') }}\n" + sql
    return found


def test_the_page_s_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path / "shop").write({**models(), "sources.yml": SOURCES})
    with project.connect() as con:
        con.execute("CREATE TABLE customers (id INTEGER, email VARCHAR, country VARCHAR)")
        con.execute("INSERT INTO customers VALUES (1, 'a@x', 'DE'), (20, 'b@x', 'FR'), (30, 'c@x', 'IT')")
        con.execute("CREATE TABLE orders (id INTEGER, customer_id INTEGER, amount INTEGER)")
        con.execute("INSERT INTO orders VALUES (1, 1, 9), (2, 20, 7), (3, 20, 5), (4, 99, 3), (5, 1, NULL)")
    project.dbt("build")
    monkeypatch.chdir(project.root)
    report: list[str] = []
    text = PAGE.read_text().replace("```", "")
    parsed = doctest.DocTestParser().get_doctest(text, {}, "python.md", str(PAGE), 0)
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    result = runner.run(parsed, out=report.append)
    release()
    assert not result.failed, "".join(report)
    assert result.attempted > 15


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="nosuch"):
        _ = cdme_adapter.nosuch
