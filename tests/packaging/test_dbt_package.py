"""What a user's project gets through packages.yml: macros and generic tests, from any checkout.

A developer's checkout is littered (a virtual environment with dbt projects in it, stray SQL, our
own tests); installed through ``local:`` or ``git:`` nothing of that may reach the user's project.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow

LITTER = {
    ".venv/lib/site-packages/other/dbt_project.yml": "name: other\nversion: 1.0.0\n",
    ".venv/lib/site-packages/other/models/hidden.sql": "select 1 as a",
    "stray.sql": "select 1 as a",
    "models/stray_model.sql": "select 1 as a",
    "models/stray.yml": "models:\n  - name: stray_model\n",
    "models/stray.md": "{% docs stray %}text{% enddocs %}",
    "seeds/stray_seed.csv": "a\n1\n",
    "tests/stray_test.sql": "select 1 as a where false",
    "analyses/stray_analysis.sql": "select 1 as a",
    "snapshots/stray_snapshot.sql": (
        "{% snapshot stray %}{{ config(target_schema='s', unique_key='a', strategy='check', "
        "check_cols='all') }} select 1 as a {% endsnapshot %}"
    ),
    "macros/stray_macro.sql": "{% macro stray() %}{% endmacro %}",
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with this package and everything that lies about beside it."""
    folder = tmp_path_factory.mktemp("littered") / "checkout"
    folder.mkdir()
    for name in ("dbt_project.yml", "packages.yml"):
        shutil.copy(ROOT / name, folder)
    for name in ("dbt_cdme", "integration_tests", "demo"):
        ignored = shutil.ignore_patterns("target", "dbt_packages", "logs", "data", "*.duckdb")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name, text in LITTER.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(folder)]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "-A", "-f"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "littered"], check=True)
    return folder


def manifest_of_a_user(folder: Path, package: str) -> dict[str, Any]:
    """The manifest of a new project that installs ``package``, after dbt deps and dbt parse."""
    folder.mkdir()
    (folder / "dbt_project.yml").write_text("name: user\nversion: 1.0.0\nprofile: user\n")
    (folder / "packages.yml").write_text(f"packages:\n{package}")
    (folder / "profiles.yml").write_text(
        "user:\n  target: dev\n  outputs:\n    dev: {type: cdme, path: user.duckdb}\n"
    )
    (folder / "models").mkdir()
    (folder / "models" / "own.sql").write_text("select 1 as a")
    for command in ("deps", "parse"):
        program = [str(Path(sys.executable).parent / "dbt"), "--quiet", command]
        done = subprocess.run(
            program,
            cwd=folder,
            env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    loaded: dict[str, Any] = json.loads((folder / "target" / "manifest.json").read_text())
    return loaded


def test_no_folder_that_dbt_reads_unasked() -> None:
    """dbt 1.11 reads ``functions`` of a package, and no setting that dbt 1.10 accepts stops it."""
    assert not (ROOT / "functions").exists()


@pytest.mark.parametrize("way", ["local", "git"])
def test_only_macros_and_generic_tests_arrive(way: str, checkout: Path, tmp_path: Path) -> None:
    packages = {
        "local": f"  - local: {checkout}\n",
        "git": f"  - git: file://{checkout}\n    revision: main\n",
    }
    manifest = manifest_of_a_user(tmp_path / "user", packages[way])
    kinds = ("nodes", "sources", "exposures", "metrics", "groups", "docs", "unit_tests")
    foreign = {
        name
        for kind in kinds
        for name, entry in manifest.get(kind, {}).items()
        if entry.get("package_name") not in {"user", "dbt"}
    }
    assert foreign == set()
    assert list(manifest["nodes"]) == ["model.user.own"]
    arrived = [m for m in manifest["macros"].values() if m["package_name"] == "dbt_cdme"]
    wanted = {
        f"dbt_cdme/macros/{file.relative_to(ROOT / 'dbt_cdme' / 'macros').as_posix()}"
        for file in (ROOT / "dbt_cdme" / "macros").rglob("*.sql")
    }
    assert {macro["original_file_path"] for macro in arrived} == wanted
