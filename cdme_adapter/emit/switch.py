"""Whether OpenLineage's client has a transport, by its own configuration; without importing it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def is_configured(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> bool:
    """Whether events have somewhere to go.

    The client's rules: ``OPENLINEAGE_DISABLED``, the configuration file, ``OPENLINEAGE__TRANSPORT__*``,
    ``OPENLINEAGE_URL``. Where none names a transport the client would print events; CDME emits none.

    >>> is_configured({}), is_configured({"OPENLINEAGE_URL": "http://localhost:5000"})
    (False, True)
    """
    env = os.environ if environ is None else environ
    if env.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    kind = env.get("OPENLINEAGE__TRANSPORT__TYPE") or _kind_of_file(env, folder)
    if kind:
        return kind.lower() != "noop"
    return bool(env.get("OPENLINEAGE__TRANSPORT") or env.get("OPENLINEAGE_URL"))


def _kind_of_file(env: Mapping[str, str], folder: Path | None) -> str:
    """The type of the transport in the first configuration file that is there."""
    named = env.get("OPENLINEAGE_CONFIG")
    home = env.get("HOME") or env.get("USERPROFILE")
    paths = [Path(named)] if named else []
    paths.append((folder or Path.cwd()) / "openlineage.yml")
    paths += [Path(home, ".openlineage", "openlineage.yml")] if home else []
    for path in paths:
        if not path.is_file():
            continue
        import yaml

        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError):
            return ""
        transport = content.get("transport") if isinstance(content, dict) else None
        return str(transport.get("type") or "") if isinstance(transport, dict) else ""
    return ""
