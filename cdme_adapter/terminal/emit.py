"""``cdme emit``."""

from __future__ import annotations

import click

from cdme_adapter.terminal.options import Common, common_options
from cdme_adapter.terminal.output import emit


@click.command("emit")
@click.option("--timeout", type=float, help="Give up after so many seconds; by default never.")
@click.option("--discard", is_flag=True, help="Forget what waits instead of sending it.")
@click.option("--refused", is_flag=True, help="Send what a collector refused for good once more.")
@common_options
def command(common: Common, timeout: float | None, discard: bool, refused: bool) -> int:
    """Send the OpenLineage events that no collector has yet. Writes to the database.

    Exits 1 while events still wait or were refused.
    """
    from cdme_adapter.emit.command import emit_waiting, lines
    from cdme_adapter.lineage.opening import connect
    from cdme_adapter.project import Manifest, project_of_file, read_project

    if common.database:
        project = project_of_file(common.database, Manifest())
    else:
        project = read_project(common.project_dir, common.profiles_dir, common.target)
    con = connect(project.with_files(common.attach), writable=True)
    try:
        answer = emit_waiting(lambda sql: list(con.execute(sql).fetchall()), timeout, discard, refused)
    finally:
        con.close()
    header = ("sent", "waiting", "refused", "discarded", "problem")
    emit(common.output, answer, lines, lambda found: (header, [[found[name] for name in header]]))
    return 1 if answer["waiting"] or answer["refused"] else 0
