"""Opens a project's databases read-only, without dbt; says who is in the way when that fails."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cdme_adapter.errors import ConfigError, StoreReadOnlyError
from cdme_adapter.lineage.api import Questions
from cdme_adapter.project import Attachment, Manifest, Project, project_of_file, read_project
from cdme_adapter.store.reader import literal, quote

_SUFFIXES = (".duckdb", ".db", ".ddb")
_HOLDER = re.compile(r"lock is held in (.+?) \(PID (\d+)\)")


def open_questions(
    project_dir: str | None = None,
    profiles_dir: str | None = None,
    target: str | None = None,
    *,
    database: str | None = None,
    manifest: str | None = None,
    attach: Sequence[str] = (),
    show_pii: bool = False,
) -> Questions:
    """The questions over a dbt project, or over a database file and a manifest.

    ``attach`` names more files that the models read or wrote, each as ``NAME=FILE``, or as ``FILE`` where
    the file is called as the database is. Beside a file of its own, such files are found where they lie.

    >>> open_questions("demo/flights").ledger()["status"]  # doctest: +SKIP
    'COMPLETE'
    """
    if database is None:
        project = read_project(project_dir, profiles_dir, target)
        project = project.with_files(attach)
        path = Path(manifest) if manifest else project.manifest_path
        nodes = Manifest.read(path) if manifest or path.exists() else Manifest()
        target_path: Path | None = project.target_path
    else:
        nodes = Manifest.read(Path(manifest)) if manifest else Manifest()
        project, target_path = project_of_file(database, nodes), None
        project = replace(project, database_name=_own_name(project) or project.database_name)
        project = project.with_files(attach)
        project = replace(project, attach=(*project.attach, *_beside(project, nodes)))
    return Questions(connect(project), nodes, target_path=target_path, frozen=True, show_pii=show_pii)


def _own_name(project: Project) -> str | None:
    """The name that a database file had when its store was written, whatever it is called now."""
    import duckdb

    con = duckdb.connect()
    try:
        attach(con, project.database_path, project.database_name)
        store = f"{quote(project.database_name)}.cdme"
        rows = con.execute(
            f"SELECT database FROM {store}.store_generations WHERE generation IN"
            f" (SELECT generation FROM {store}.store_current)"
            " GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
        ).fetchall()
    except duckdb.Error:
        return None
    finally:
        con.close()
    return str(rows[0][0]) if rows else None


def _beside(project: Project, manifest: Manifest) -> list[Attachment]:
    """The other databases of a manifest, where they lie beside the file that is asked.

    A file of that name with something else in it answers nothing wrongly: fingerprints call it stale.
    """
    have = {project.database_name.lower(), *(one.alias.lower() for one in project.attach)}
    others = {node.database for node in manifest.nodes.values() if node.database}
    folder = Path(project.database_path).parent
    found = []
    for name in sorted(one for one in others if one.lower() not in have):
        files = (folder / f"{name}{suffix}" for suffix in _SUFFIXES)
        path = next((file for file in files if file.exists()), None)
        if path is not None:
            found.append(Attachment(str(path), name))
    return found


def connect(project: Project, writable: bool = False) -> Any:
    """A connection of its own on which the project's databases are attached, read-only by default."""
    import duckdb

    if project.database_path in ("", ":memory:"):
        raise ConfigError(
            "the profile's database is in memory: nothing of it is left when dbt ends",
            code="IN_MEMORY",
            remedy="give the profile a `path`",
        )
    con = duckdb.connect()
    try:
        for name, value in project.settings.items():
            _setting(con, name, value)
        attach(con, project.database_path, project.database_name, writable)
        con.execute(f"USE {quote(project.database_name)}")
        for other in project.attach:
            if other.type in ("", "duckdb"):
                attach(con, other.path, other.alias, writable)
    except Exception:
        con.close()
        raise
    return con


def _setting(con: Any, name: str, value: Any) -> None:
    """Apply a setting of the profile; one that belongs to a missing extension does not matter."""
    import duckdb

    if not re.fullmatch(r"\w+", name):
        return
    try:
        con.execute(f"SET {name} = {literal(str(value))}")
    except duckdb.Error:
        return


def attach(con: Any, path: str, alias: str, writable: bool = False) -> None:
    """Attach a database file, read-only by default."""
    import duckdb

    if "://" not in path and not path.startswith("md:") and not Path(path).exists():
        raise ConfigError(
            f"there is no database at {path}", code="NO_DATABASE", remedy="run `dbt build` first"
        )
    try:
        mode = "READ_WRITE" if writable else "READ_ONLY"
        con.execute(f"ATTACH {literal(path)} AS {quote(alias)} ({mode})")
    except duckdb.Error as error:
        raise _locked(path, str(error)) from error


def _locked(path: str, message: str) -> StoreReadOnlyError:
    holder = _HOLDER.search(message)
    if holder is None and "lock" not in message.lower():
        first = message.splitlines()[0]
        return StoreReadOnlyError(f"{path} cannot be opened: {first}", code="STORE_UNREADABLE")
    by = f"{holder[1]} (process {holder[2]})" if holder else "another process"
    copy = str(Path(path).with_suffix(".copy" + Path(path).suffix))
    return StoreReadOnlyError(
        f"{path} is open for writing in {by}",
        code="STORE_LOCKED",
        remedy="wait until that has ended, or ask a copy:\n"
        f"    cp {path} {copy}\n"
        f"    cdme … --database {copy} --manifest target/manifest.json",
    )
