"""Datasets of events and their facets."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    data_quality_assertions_dataset,
    dataset_type_dataset,
    datasource_dataset,
    documentation_dataset,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
    ownership_dataset,
    schema_dataset,
)

from cdme_adapter.emit.catalog import Catalog
from cdme_adapter.emit.columns import ColumnLineage, Relation, Uses, lineage_and_relations
from cdme_adapter.emit.facts import NodeFacts, ProjectFacts
from cdme_adapter.emit.names import PRODUCER, namespace_uri
from cdme_adapter.emit.remembered import Remembered

Assertion = data_quality_assertions_dataset.Assertion


@dataclass
class Datasets:
    """Makes datasets of the nodes of a project."""

    project: ProjectFacts
    catalog: Catalog
    remembered: Remembered
    _facets: dict[str, dict[str, Any]] = field(default_factory=dict)

    def name(self, node: NodeFacts) -> tuple[str, str]:
        """Namespace and name of a node's relation."""
        namespace = self.catalog.namespace(node.database)
        return namespace, f"{node.database}.{node.schema}.{node.identifier}"

    def input(
        self, node: NodeFacts, rows: int | None = None, assertions: list[Assertion] | None = None
    ) -> InputDataset:
        """A node's relation as an input, with the rows that were read of it."""
        namespace, name = self.name(node)
        facets: dict[str, Any] = {}
        if rows is not None:
            facets["inputStatistics"] = _read(rows)
        if assertions:
            facets["dataQualityAssertions"] = (
                data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
                    assertions=assertions, producer=PRODUCER
                )
            )
        return InputDataset(namespace, name, facets=dict(self._of(node)), inputFacets=facets)

    def other(self, ident: str, rows: int | None) -> InputDataset | None:
        """An input that dbt does not know: a file, or a relation of another tool."""
        facets: dict[str, Any] = {"inputStatistics": _read(rows)} if rows is not None else {}
        kind, _, name = ident.partition(".")
        if kind == "file":
            path = name if "://" in name else str(PurePath(self.project.root, name))
            return InputDataset("file", path, inputFacets=facets)
        if kind == "relation":
            return InputDataset(self.catalog.namespace(name.partition(".")[0]), name, inputFacets=facets)
        return None

    def output(self, node: NodeFacts, rows: int | None, lineage: bool) -> OutputDataset:
        """A node's relation as an output; ``rows`` are those that it holds now."""
        namespace, name = self.name(node)
        facets = dict(self._of(node))
        made = self._column_lineage(node) if lineage else None
        if made is not None:
            facets["columnLineage"] = made
        statistics: dict[str, Any] = {}
        if rows is not None:
            statistics["outputStatistics"] = (
                output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                    rowCount=rows, producer=PRODUCER
                )
            )
        return OutputDataset(namespace, name, facets=facets, outputFacets=statistics)

    def _relation(self, node: NodeFacts) -> Relation:
        return node.database.lower(), node.schema.lower(), node.identifier.lower()

    def _of(self, node: NodeFacts) -> dict[str, Any]:
        """The facets that say what a relation is."""
        if node.id in self._facets:
            return self._facets[node.id]
        namespace, _ = self.name(node)
        facets: dict[str, Any] = {
            "dataSource": _source(namespace),
            "datasetType": _type("VIEW" if node.materialized == "view" else "TABLE"),
        }
        columns = self.catalog.columns.get(self._relation(node), {})
        if columns:
            facets["schema"] = schema_dataset.SchemaDatasetFacet(
                fields=[
                    schema_dataset.SchemaDatasetFacetFields(
                        name=name, type=kind, description=node.columns.get(name.lower()) or None
                    )
                    for name, kind in columns.items()
                ],
                producer=PRODUCER,
            )
        if node.description:
            facets["documentation"] = documentation_dataset.DocumentationDatasetFacet(
                description=node.description, producer=PRODUCER
            )
        if node.owners:
            facets["ownership"] = ownership_dataset.OwnershipDatasetFacet(
                owners=[ownership_dataset.Owner(name=name, type=kind) for name, kind in node.owners],
                producer=PRODUCER,
            )
        return self._facets.setdefault(node.id, facets)

    def _column_lineage(self, node: NodeFacts) -> Any:
        """The facet of a model's query, as it was found before or is found now."""
        if not node.compiled or node.kind not in ("model", "snapshot"):
            return None
        known, facet = self.remembered.get(node.id, node.compiled)
        if not known:
            columns = self.catalog.columns
            found, named = lineage_and_relations(node.compiled, columns, node.database, node.schema)
            facet = self._facet(node, found) if found is not None else None
            relations = [*named, self._relation(node)]
            self.remembered.put(node.id, node.compiled, relations, facet)
        return facet

    def _facet(self, node: NodeFacts, found: ColumnLineage) -> dict[str, Any] | None:
        """The facet of a query; None where its columns are not those of the relation."""
        there = {name.lower(): name for name in self.catalog.columns.get(self._relation(node), {})}
        if not {name.lower() for name in found.fields} <= there.keys():
            return None
        known = {
            (facts.database.lower(), facts.schema.lower(), facts.identifier.lower()): self.name(facts)
            for facts in (*self.project.parents_of(node), node)
        }
        return {
            "_producer": PRODUCER,
            "_schemaURL": column_lineage_dataset.ColumnLineageDatasetFacet._get_schema(),
            "fields": {
                there[name.lower()]: {"inputFields": self._fields(uses, known)}
                for name, uses in found.fields.items()
            },
            "dataset": self._fields(found.dataset, known),
        }

    def _fields(self, uses: Uses, known: Mapping[Relation, tuple[str, str]]) -> list[dict[str, Any]]:
        """Input columns as the client's classes would print them; there are too many to make those."""
        found = []
        for (relation, column), ways in sorted(uses.items()):
            namespace, name = known.get(relation) or (
                self.catalog.namespace(relation[0]), ".".join(relation),
            )  # fmt: skip
            found.append(
                {
                    "namespace": namespace, "name": name, "field": column,
                    "transformations": [
                        {"type": how.type, "subtype": how.subtype, "description": "",
                         "masking": how.masking}
                        for how in sorted(ways)
                    ],
                }
            )  # fmt: skip
        return found


# Making a facet checks its addresses: for those that many datasets share, once is enough.
@functools.cache
def _source(namespace: str) -> datasource_dataset.DatasourceDatasetFacet:
    return datasource_dataset.DatasourceDatasetFacet(
        name=namespace, uri=namespace_uri(namespace), producer=PRODUCER
    )


@functools.cache
def _type(kind: str) -> dataset_type_dataset.DatasetTypeDatasetFacet:
    return dataset_type_dataset.DatasetTypeDatasetFacet(datasetType=kind, producer=PRODUCER)


def _read(rows: int) -> input_statistics_input_dataset.InputStatisticsInputDatasetFacet:
    return input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=rows, producer=PRODUCER)
