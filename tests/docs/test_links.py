"""The pages point at what is there: files, commands, options."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from cdme_adapter.cli import cli
from cdme_adapter.config import NOT_IMPLEMENTED, OPTIONS
from tests.docs.markdown import DOCS, PAGES, ROOT, code, rows, section

AHEAD = {"validate"}
"""Commands that the pages may name before they are registered."""

_COMMAND = re.compile(r"(?:^\$ |`|^    )cdme ([a-z_]+)", re.MULTILINE)


def ids(page: Path) -> str:
    """A page as pytest shows it."""
    return str(page.relative_to(ROOT))


def registered() -> set[str]:
    """The commands of the command line."""
    assert isinstance(cli, click.Group)
    return set(cli.list_commands(click.Context(cli)))


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_relative_links_resolve(page: Path) -> None:
    bare = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    bare = re.sub(r"`[^`\n]*`", "", bare)
    for target in re.findall(r"\]\(([^)\s]+)\)", bare):
        if not re.match(r"[a-z]+:", target) and not target.startswith("#"):
            assert (page.parent / target.split("#")[0]).exists(), f"{target} is not there"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_that_are_named_exist(page: Path) -> None:
    unknown = set(_COMMAND.findall(page.read_text())) - registered() - AHEAD
    assert not unknown


def test_every_command_is_described() -> None:
    text = (DOCS / "commands.md").read_text()
    missing = {name for name in registered() if f"\n## cdme {name}\n" not in text}
    assert not missing


def test_every_option_is_described_with_its_state() -> None:
    table = rows(section((DOCS / "configuration.md").read_text(), "Options"))
    states = {code(name): state for name, _, state in table}
    assert set(states) == OPTIONS
    said = {name for name, state in states.items() if state.startswith("not built")}
    assert said == {name for name in NOT_IMPLEMENTED if ":" not in name}


def test_every_run_operation_and_generic_test_is_described() -> None:
    text = (DOCS / "commands.md").read_text()
    macros = (ROOT / "dbt_cdme" / "macros").glob("*.sql")
    found = "".join(macro.read_text() for macro in macros)
    for name in re.findall(r"{%-? macro (cdme_\w+)\(", found):
        assert f"run-operation {name}" in text
    for name in re.findall(r"{%-? test (\w+)\(", found):
        assert f"- dbt_cdme.{name}\n" in text


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_no_path_of_somebody_s_machine(page: Path) -> None:
    assert not re.search(r"(?<![\w.])/(?:work|home|root|tmp|Users)/", page.read_text())
