"""``forget``: what the store keeps of a subject's records is erased; the counts stay as they are.

Erased are the values: the keys of the records, of the records that were made of them alone, and what
error records say that they took part in. An error record of which nothing tells any more whose its
sources were (anybodys.py) is erased where its values say so, or where it does not have them: it may be
anybody's. Ordinals and counts say nothing of a person and are what the equation of every run stands on; so
they stay, and so does the chain of ledgers. The erasure itself is kept in ``cdme.forgotten``, without a
value.

Erase the subject at its source too, before or after: the next run reads what is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cdme_adapter.lineage.anybodys import Told, asked_columns, downstream, values_of
from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.evidence import evidence_of
from cdme_adapter.lineage.rejected import member
from cdme_adapter.lineage.relations import Table, select_ordinals
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.provenance import Exactness, Role
from cdme_adapter.pseudonyms import Pseudonyms, read_secret
from cdme_adapter.store.reader import Generation, literal, quote
from cdme_adapter.store.rejects import chains_of, routed_by


def forget(ctx: Context, relation: str, where: str, profiles_dir: Path | None = None) -> dict[str, Any]:
    """Erase what is kept of the records of ``relation`` that satisfy ``where``; needs a connection
    that may write. Raises QuestionError for what cannot be resolved or evaluated."""
    wanted = ctx.resolve(relation, "relation")
    generation = ctx.store.latest_generation(wanted)
    if generation is None:
        raise ctx.no_such_upstream(wanted, wanted, set(ctx.store.current))
    with Scratch(ctx.store.con) as scratch:
        subject = _Subject(ctx, scratch, profiles_dir)
        records = subject.start(wanted, generation, where)
        subject.follow()
        return {
            "relation": wanted,
            "records": records,
            "keys": subject.erase_keys(wanted),
            "errors": subject.erase_errors(wanted, subject.rejected(wanted, generation, where)),
            "not_followed": sorted(subject.opaque),
            "forgotten_at": subject.remember(wanted, records),
        }


class _Subject:
    """The subject's records, generation by generation, in a temporary table (generation, ord)."""

    def __init__(self, ctx: Context, scratch: Scratch, profiles_dir: Path | None) -> None:
        self.ctx, self.scratch = ctx, scratch
        self.opaque: set[str] = set()
        self.told: set[int] = set()
        """The generations of the relation of which it is known which records are the subject's."""
        personal = ctx.masking.of
        self.pseudonyms = Pseudonyms(personal, read_secret(profiles_dir), True)
        self.records = scratch.name()
        self.keys = scratch.name()
        self._do(f"CREATE TEMP TABLE {self.records} (generation BIGINT, ord BIGINT)")
        self._do(f"CREATE TEMP TABLE {self.keys} (key VARCHAR, said JSON)")

    def _do(self, sql: str) -> list[Any]:
        return list(self.ctx.store.con.execute(sql).fetchall())

    def _count(self, sql: str) -> int:
        return int(self._do(f"SELECT count(*) FROM ({sql})")[0][0])

    # -- which records ---------------------------------------------------------------------------

    def start(self, relation: str, generation: Generation, where: str) -> int:
        """The records that the predicate names, in every generation where a key or their place in the
        present one tells them; how many there are now."""
        table = self.ctx.need_table(generation)
        asked = self.scratch.name()
        select_ordinals(self.ctx.store, table, where, None, asked)
        node = self.ctx.graph.node(relation, generation.id)
        if self.ctx.stale(node) is not True:
            self._do(f"INSERT INTO {self.records} SELECT {generation.id}, ord FROM {asked}")
            self.told.add(generation.id)
        if self._read_keys(table, generation, asked):
            self._read_kept_keys(table, generation, where)
            self.told |= {
                g.id for g in self.ctx.store.generations.values()
                if g.relation == relation and g.key_columns == generation.key_columns
            }  # fmt: skip
        for schema in self.ctx.store.schemas:
            self._do(
                f"INSERT INTO {self.records} SELECT k.generation, k.ordinal FROM {schema}.store_keys k"
                f" JOIN {schema}.store_generations g USING (generation) WHERE g.relation ="
                f" {literal(relation)} AND k.ordinal >= 0 AND k.key IN (SELECT key FROM {self.keys})"
            )
        return self._count(f"SELECT ord FROM {asked}")

    def _read_keys(self, table: Table, generation: Generation, asked: str) -> bool:
        """Note the keys of these records; whether the relation has a key."""
        names = generation.key_columns
        if not names or any(table.column(name) is None for name in names):
            return False
        if self.pseudonyms.keyed:
            self._do(self.pseudonyms.session())
        hidden = self.pseudonyms.hidden(generation.relation)
        pairs = ", ".join(f"{literal(n)}, {hidden.get(n.lower()) or quote(n)}" for n in names)
        self._do(
            f"INSERT INTO {self.keys} SELECT json_object({pairs})::VARCHAR, json_object({pairs})"
            f" FROM {table.source} WHERE {table.ordinal} IN (SELECT ord FROM {asked})"
        )
        return True

    def _read_kept_keys(self, table: Table, generation: Generation, where: str) -> None:
        """Note the keys of records that the relation has no more, where the predicate speaks of the key."""
        names = {name.lower() for name in generation.key_columns}
        wanted = asked_columns(where, table.columns)
        if wanted is None or not {name.lower() for name in wanted} <= names - set(
            self.pseudonyms.hidden(generation.relation)
        ):
            return
        values = values_of((c for c in table.columns if c.name.lower() in names), "k.key::JSON")
        for schema in self.ctx.store.schemas:
            kept = (
                f"SELECT k.key AS __cdme_key, {values} FROM {schema}.store_keys k JOIN"
                f" {schema}.store_generations g USING (generation)"
                f" WHERE g.relation = {literal(generation.relation)}"
            )
            self._do(
                f"INSERT INTO {self.keys} SELECT DISTINCT __cdme_key, __cdme_key::JSON FROM ({kept}) AS r"
                f" WHERE TRY({where}\n)"
            )

    def follow(self) -> None:
        """The records downstream that were made of the subject's alone."""
        todo = [int(row[0]) for row in self._do(f"SELECT DISTINCT generation FROM {self.records}")]
        seen: set[int] = set()
        while todo:
            generation = todo.pop(0)
            if generation in seen:
                continue
            seen.add(generation)
            for edges in self.ctx.store.by_input.values():
                for edge in edges:
                    if edge.input_generation != generation or edge.role is not Role.DIRECT:
                        continue
                    if edge.exactness is Exactness.OPAQUE:
                        self.opaque.add(edge.model)
                        continue
                    mine = f"SELECT ord FROM {self.records} WHERE generation = {generation}"
                    pairs = evidence_of(self.ctx, edge).pairs
                    self._do(
                        f"INSERT INTO {self.records} SELECT {edge.output_generation}, o FROM ({pairs})"
                        f" GROUP BY o HAVING bool_and(i IN ({mine}))"
                    )
                    todo.append(edge.output_generation)

    # -- what is erased --------------------------------------------------------------------------

    def erase_keys(self, relation: str) -> int:
        """Delete the keys of these records; how many."""
        gone = 0
        for schema in self.ctx.store.schemas:
            generations = (
                f"SELECT generation FROM {schema}.store_generations WHERE relation = {literal(relation)}"
            )
            test = (
                f"(generation, ordinal) IN (SELECT generation, ord FROM {self.records})"
                f" OR (generation IN ({generations}) AND key IN (SELECT key FROM {self.keys}))"
                f" OR (generation, key) IN ({self._same_keys(schema)})"
            )
            gone += self._count(f"SELECT 1 FROM {schema}.store_keys WHERE {test}")
            self._do(f"DELETE FROM {schema}.store_keys WHERE {test}")
        return gone

    def _same_keys(self, schema: str) -> str:
        """A SELECT of (generation, key): these records' keys in every generation of their relation."""
        return (
            f"SELECT o.generation, k.key FROM {schema}.store_keys k JOIN {self.records} r ON"
            " r.generation = k.generation AND r.ord = k.ordinal"
            f" JOIN {schema}.store_generations g ON g.generation = k.generation"
            f" JOIN {schema}.store_generations o ON o.relation = g.relation"
        )

    def rejected(self, relation: str, generation: Generation, where: str) -> str:
        """A temporary table (schema, generation, reject) of the records of a relation that never got into
        its table, and of those of which nothing tells whose sources they had, that the predicate names, as
        far as it speaks of values that are kept."""
        import duckdb

        table = self.ctx.need_table(generation)
        values = values_of(table.columns, "x.record")
        found = self.scratch.name()
        self._do(f"CREATE TEMP TABLE {found} (schema VARCHAR, generation BIGINT, reject BIGINT)")
        for schema in self.ctx.store.schemas:
            its = f"x.model = {literal(relation)}"
            wanted = asked_columns(where, table.columns)
            for model, made in Told(self.ctx, relation, self.told).unsure(schema).items():
                some = f"x.model = {literal(model)} AND x.generation IN ({', '.join(map(str, made))})"
                has = [f"json_exists(x.record, {literal(member(name))})" for name in wanted or ()]
                hidden = {name.lower() for name in wanted or ()} & set(self.pseudonyms.hidden(model))
                lacks = "TRUE" if wanted is None or hidden else f"NOT ({' AND '.join(has) or 'TRUE'})"
                self._do(
                    f"INSERT INTO {found} SELECT {literal(schema)}, x.generation, x.reject FROM"
                    f" {schema}.store_rejects AS x WHERE {some} AND {lacks}"
                )
                its += f" OR ({some})"
            rows = (
                f"SELECT x.generation AS __cdme_generation, x.reject AS __cdme_reject, {values}"
                f" FROM {schema}.store_rejects AS x WHERE {its}"
            )
            for test in (f"TRY({where}\n)", f"({where}\n)"):  # TRY takes no subquery
                try:
                    self._do(
                        f"INSERT INTO {found} SELECT {literal(schema)}, __cdme_generation, __cdme_reject"
                        f" FROM ({rows}) AS r WHERE {test}"
                    )
                    break
                except duckdb.Error:  # it asks for what a rejected record has not, such as a row id
                    continue
        return found

    def erase_errors(self, relation: str, named: str) -> int:
        """Empty the error records that these records took part in, and those that are ``named``; how
        many."""
        gone = 0
        for schema in self.ctx.store.schemas:
            rows = self._do(
                "SELECT generation, edge, path, map, input_generation"
                f" FROM {schema}.store_reject_edges ORDER BY generation, edge, path, step"
            )
            inputs = {(row[0], row[1]): row[4] for row in rows}
            parts = ["SELECT NULL::BIGINT AS generation, NULL::BIGINT AS reject WHERE false"]
            for (made, edge), chains in chains_of(row[:4] for row in rows).items():
                seen = inputs[made, edge]
                mine = (
                    f"SELECT ord FROM {self.records} WHERE generation = {seen if seen is not None else -1}"
                )
                parts.append(f"SELECT {made}, o FROM ({routed_by(schema, chains)}) WHERE i IN ({mine})")
            same = (
                f"SELECT 1 FROM {self.keys} AS k WHERE json_contains(x.record, k.said) OR"
                " json_contains(x.offending_values, k.said)"
            )
            parts.append(f"SELECT generation, reject FROM {named} WHERE schema = {literal(schema)}")
            unsure = f"x.resolved_run_id IS NOT NULL AND {self._nobodys(schema, relation)}"
            any_of = f"(generation, reject) IN ({' UNION '.join(parts)}) OR EXISTS ({same}) OR ({unsure})"
            test = f"({any_of}) AND NOT starts_with(x.record_hash, 'forgotten:')"
            gone += self._count(f"SELECT 1 FROM {schema}.store_rejects AS x WHERE {test}")
            self._do(
                f"UPDATE {schema}.store_rejects AS x SET record = '{{\"forgotten\":true}}',"
                " offending_values = '{}', record_hash = 'forgotten:' || generation || ':' || reject"
                f" WHERE {test}"
            )
        return gone

    def _nobodys(self, schema: str, relation: str) -> str:
        """A condition: a record downstream of the relation of which nothing tells whose it was, for its
        sources are no longer kept and it does not hold the relation's key."""
        found = downstream(self.ctx, relation)
        generation = self.ctx.store.latest_generation(relation)
        names = generation.key_columns if generation is not None else ()
        keyed = [f"json_exists(x.record, {literal(member(name))})" for name in names]
        return (
            f"x.model IN ({', '.join(map(literal, sorted(found)))}) AND x.generation NOT IN"
            f" (SELECT generation FROM {schema}.store_reject_edges)"
            f" AND NOT ({' AND '.join(keyed) or 'FALSE'})"
        )

    def remember(self, relation: str, records: int) -> str:
        """Leave a record of the erasure, without a value; when it was."""
        schema = self.ctx.store.schemas[0]
        self._do(f"INSERT INTO {schema}.store_forgotten VALUES (now(), {literal(relation)}, {records})")
        return str(self._do(f"SELECT max(forgotten_at)::VARCHAR FROM {schema}.store_forgotten")[0][0])
