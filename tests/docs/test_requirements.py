"""docs/requirements.md names every key, and what it calls done is there."""

from __future__ import annotations

import re

import pytest

from tests.docs.markdown import DOCS, ROOT, rows

NUMBERS = {
    "REQ-F-ADJ": "001 002 003 004 005 006 007",
    "REQ-F-ACC": "001 002 003 004 005",
    "REQ-F-AIA": "001 002 003",
    "REQ-NFR-OBS": "001",
    "REQ-F-LDM": "002 004 005 006 007",
    "REQ-BR-GRN": "001",
    "REQ-F-TRV": "002 003 004 005 006",
    "REQ-F-CTX": "001",
    "REQ-NFR-PERF": "002",
    "REQ-F-TYP": "002",
    "REQ-F-ERR": "001 002 003 004",
    "REQ-DATA-QAL": "001",
    "REQ-DATA-LIN": "001 002 003 004",
    "REQ-NFR-VER": "001",
    "REQ-NFR-DIST": "001",
    "REQ-BR-REG": "001 002 003",
}
KEYS = {f"{stem}-{number}" for stem, numbers in NUMBERS.items() for number in numbers.split()}
STATES = {"done", "partly", "not yet"}
ROWS = rows((DOCS / "requirements.md").read_text())


def quoted(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def test_every_key_has_one_row_and_a_state() -> None:
    assert sorted(row[0] for row in ROWS) == sorted(KEYS)
    assert {row[4] for row in ROWS} <= STATES


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_a_row_names_is_there(row: list[str]) -> None:
    _, modules, tests, _, state, missing = row
    for module in quoted(modules):
        assert (ROOT / "cdme_adapter" / module).is_file(), module
    for node in quoted(tests):
        file, _, name = node.partition("::")
        assert (ROOT / "tests" / file).is_file(), node
        text = (ROOT / "tests" / file).read_text()
        assert re.search(rf"^\s*(async )?def {name or 'test_'}", text, re.MULTILINE), node
    if state == "done":
        assert quoted(modules) and quoted(tests) and not missing
    else:
        assert missing, "say what is missing"
