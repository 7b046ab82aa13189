"""The arguments of a generic test as dbt renders them: a file says ``> {{ var('least') }}``."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dbt.adapters.events.logging import AdapterLogger

logger = AdapterLogger("CDME")
_JINJA = re.compile(r"\{\{|\{%|\"\s*(env_var|var|doc)\s*\(.+\)\s*\"")
"""Text that dbt renders; ``ref`` and ``source`` are read without it."""
_OF_DBT = "model"
"""The argument that dbt adds: the relation with the test's ``where``."""

Arguments = Mapping[str, Any]


def renderer(config: Any, manifest: Any, everywhere: bool) -> Callable[[Any], Arguments]:
    """What gives the arguments of a test; ``everywhere``: also of nodes that say nothing of refinements."""

    def render(test: Any) -> Arguments:
        said = {name: value for name, value in test.test_metadata.kwargs.items() if name != _OF_DBT}
        owner = manifest.nodes.get(test.attached_node)
        if not _JINJA.search(json.dumps(said, default=str)) or not (everywhere or _refines(owner)):
            return said
        try:
            return _rendered(config, manifest, test, said)
        except Exception as error:  # dbt says so itself when the test's turn comes
            logger.debug(f"the arguments of {test.unique_id} cannot be rendered: {error}")
            return said

    return render


def _refines(node: Any) -> bool:
    meta = getattr(getattr(node, "config", None), "meta", None)
    block = meta.get("cdme") if isinstance(meta, Mapping) else None
    return isinstance(block, Mapping) and any(block.get(name) for name in ("refine", "refine_inputs"))


def _rendered(config: Any, manifest: Any, test: Any, said: Arguments) -> Arguments:
    from dbt.clients.jinja import GENERIC_TEST_KWARGS_NAME, add_rendered_test_kwargs
    from dbt.context.providers import generate_runtime_model_context

    shadow = copy.copy(test)
    shadow.test_metadata = replace(test.test_metadata, kwargs=dict(said))
    context = generate_runtime_model_context(shadow, config, manifest)
    add_rendered_test_kwargs(context, shadow)
    found: Arguments = context[GENERIC_TEST_KWARGS_NAME]
    return found
