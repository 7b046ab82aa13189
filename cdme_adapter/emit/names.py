"""Names in OpenLineage: run ids, jobs, parents, namespaces of databases.

Jobs are called as dbt-ol's structured mode calls them: ``dbt-run-<project>`` (or
``OPENLINEAGE_DBT_JOB_NAME``) and the node's unique id, in ``OPENLINEAGE_NAMESPACE`` or ``default``.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from openlineage.client.uuid import generate_static_uuid

from cdme_adapter import __version__

PRODUCER = f"urn:dbt-cdme:{__version__}"


@dataclass(frozen=True)
class JobRun:
    """One run of one job."""

    namespace: str
    job: str
    run_id: str


def job_namespace() -> str:
    """The namespace of all jobs."""
    return os.environ.get("OPENLINEAGE_NAMESPACE") or "default"


def run_job(project: str) -> str:
    """The name of the job that a dbt command is a run of."""
    return os.environ.get("OPENLINEAGE_DBT_JOB_NAME") or f"dbt-run-{project}"


def run_uuid(run_id: str, began: dt.datetime, node: str = "") -> str:
    """The UUIDv7 of a run, or of a node in it; the same whenever it is asked for."""
    return str(generate_static_uuid(began, f"{run_id}/{node}".encode()))


def parent_run(variable: str = "OPENLINEAGE_PARENT_ID") -> JobRun | None:
    """The run that a scheduler says it started dbt from: ``namespace/job/run id``."""
    parts = os.environ.get(variable, "").split("/")
    if len(parts) < 3:
        return None
    *namespace, job, run_id = parts
    try:
        uuid.UUID(run_id)
    except ValueError:
        return None
    return JobRun("/".join(namespace), job, run_id)


def namespace_uri(namespace: str) -> str:
    """A namespace as a URI, in which not every character of a file's name may stand.

    >>> namespace_uri("duckdb:///data/my shop.duckdb"), namespace_uri("duckdb://:memory:")
    ('duckdb:///data/my%20shop.duckdb', 'duckdb://%3Amemory%3A')
    """
    scheme, _, rest = namespace.partition("://")
    return f"{scheme}://{quote(rest)}"


def database_namespace(path: str | None) -> str:
    """The namespace of a DuckDB database: its file, without what may hold a token.

    >>> database_namespace("/data/shop.duckdb"), database_namespace(None)
    ('duckdb:///data/shop.duckdb', 'duckdb://:memory:')
    >>> database_namespace("md:shop?motherduck_token=secret")
    'duckdb://md:shop'
    """
    if not path or path == ":memory:":
        return "duckdb://:memory:"
    bare = path.partition("?")[0]
    if re.match(r"^[a-z0-9_+]{2,}:", bare):
        return f"duckdb://{bare}"
    return f"duckdb://{Path(bare).absolute().as_posix()}"
