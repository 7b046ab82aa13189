"""``cdme forget``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit
from cdme_adapter.terminal.tables import plural, short


@click.command("forget")
@click.argument("relation")
@click.option("--where", required=True, help="Which records: SQL over the relation's columns.")
@common_options
def command(common: Common, relation: str, where: str) -> None:
    """Erase what is kept of a subject's records. Writes to the database.

    Keys and error records lose their values; counts and the chain of ledgers stay.
    """
    from cdme_adapter.lineage.api import Questions
    from cdme_adapter.lineage.forget import forget
    from cdme_adapter.lineage.opening import connect
    from cdme_adapter.project import Manifest, project_of_file, read_project

    if common.database:
        manifest = Manifest.read(Path(common.manifest)) if common.manifest else Manifest()
        project = project_of_file(common.database, manifest)
    else:
        project = read_project(common.project_dir, common.profiles_dir, common.target)
        path = Path(common.manifest) if common.manifest else project.manifest_path
        manifest = Manifest.read(path) if path.exists() else Manifest()
    project = project.with_files(common.attach)
    folder = Path(common.profiles_dir) if common.profiles_dir else project.root
    con = connect(project, writable=True)
    try:
        context = Questions(con, manifest).context()
        one = len(context.store.schemas) == 1  # a transaction writes to one database only
        context.masking.relations()  # looks at relations that may not be there: not in the transaction
        if one:
            con.execute("BEGIN")
        answer = forget(context, relation, where, folder)
        if one:
            con.execute("COMMIT")
    finally:
        con.close()
    emit(common.output, answer, _lines, lambda found: (tuple(found), [list(found.values())]))


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{plural(answer['records'], 'record')} of {short(answer['relation'])} forgotten:"
        f" {plural(answer['keys'], 'key')} and {plural(answer['errors'], 'error record')} erased"
    )
    if answer["not_followed"]:
        yield f"could not be followed into: {', '.join(map(short, answer['not_followed']))}"
