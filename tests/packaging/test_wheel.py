"""The wheel holds all that is needed and nothing that belongs to others."""

from __future__ import annotations

import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from integration_tests.run import build_wheel

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build_wheel(tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def names(wheel: zipfile.ZipFile) -> set[str]:
    return set(wheel.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile, names: set[str]) -> Message:
    file = next(name for name in names if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(file).decode())


def shipped(folder: str, target: str, suffixes: set[str]) -> set[str]:
    """The files of a source folder with these suffixes, as they must be called in the wheel."""
    return {
        f"{target}/{file.relative_to(ROOT / folder).as_posix()}"
        for file in (ROOT / folder).rglob("*")
        if file.suffix in suffixes and "__pycache__" not in file.parts
    }


def test_every_module_and_data_file_of_the_core_is_there(names: set[str]) -> None:
    wanted = shipped("cdme_adapter", "cdme_adapter", {".py", ".json", ".html", ".j2", ".typed"})
    binding = {name for name in wanted if name.startswith("cdme_adapter/dbt_plugin/")}
    assert wanted - binding <= names


def test_the_binding_is_where_dbt_looks_for_it(names: set[str]) -> None:
    assert shipped("cdme_adapter/dbt_plugin", "dbt/adapters/cdme", {".py"}) <= names
    assert "dbt/adapters/cdme/__version__.py" in names


def test_the_internal_project_is_whole(names: set[str]) -> None:
    project = shipped("dbt_cdme/materializations", "dbt/include/cdme", {".py", ".sql", ".yml"})
    assert "dbt/include/cdme/dbt_project.yml" in project
    assert project <= names


def test_packages_of_others_are_left_alone(names: set[str]) -> None:
    assert not names & {"dbt/__init__.py", "dbt/adapters/__init__.py", "dbt/include/__init__.py"}
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"cdme_adapter", "dbt"}


def test_metadata_says_what_is_supported(metadata: Message, wheel: zipfile.ZipFile) -> None:
    assert metadata["Name"] == "dbt-cdme"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "Apache-2.0"
    required = metadata.get_all("Requires-Dist") or []
    assert "dbt-core<2,>=1.8" in required
    entry = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "cdme = cdme_adapter.cli:main" in wheel.read(entry).decode()
