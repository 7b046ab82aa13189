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

from cdme_adapter.lineage.anybodys import Told, asked_columns, downstream, over_hashes, values_of
from cdme_adapter.lineage.context import Context
from cdme_adapter.lineage.evidence import evidence_of
from cdme_adapter.lineage.rejected import member
from cdme_adapter.lineage.rejects import NOT_PARSED
from cdme_adapter.lineage.relations import Table, select_ordinals
from cdme_adapter.lineage.scratch import Scratch
from cdme_adapter.provenance import Exactness, Role
from cdme_adapter.pseudonyms import LEFT_OUT, Pseudonyms, read_secret
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
        self.present: set[int] = set()
        """The generation of the relation whose records are there to be asked."""
        self.told: set[int] = set()
        """Those of which it is known which records are the subject's: it, and those with the same key."""
        personal = ctx.masking.of
        self.pseudonyms = Pseudonyms(personal, read_secret(profiles_dir), True)
        self.records = scratch.name()
        self.keys = scratch.name()
        self._do(f"CREATE TEMP TABLE {self.records} (generation BIGINT, ord BIGINT)")
        self._do(f"CREATE TEMP TABLE {self.keys} (key VARCHAR, said JSON)")
        if self.pseudonyms.keyed:
            self._do(self.pseudonyms.session())

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
            self.present.add(generation.id)
        self.told |= self.present
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
        its table, and of those of earlier runs downstream, that the predicate names by the values that are
        kept of them; and of those of which nothing tells whose sources they had."""
        table = self.ctx.need_table(generation)
        wanted = asked_columns(where, table.columns)
        has = [f"json_exists(x.record, {literal(member(name))})" for name in wanted or ()]
        whole = " AND ".join(has) or "TRUE"
        found = self.scratch.name()
        self._do(f"CREATE TEMP TABLE {found} (schema VARCHAR, generation BIGINT, reject BIGINT)")
        below = downstream(self.ctx, relation)
        for schema in self.ctx.store.schemas:
            into = f"INSERT INTO {found} SELECT {literal(schema)}, x.generation, x.reject FROM"
            rows = f"{schema}.store_rejects AS x WHERE"
            gone = f"x.generation NOT IN (SELECT generation FROM {schema}.store_reject_edges)"
            lines = f"x.failure_type = {literal(NOT_PARSED)} AND x.record->>'text' <> {literal(LEFT_OUT)}"
            self._do(f"{into} {rows} x.model = {literal(relation)} AND {lines}")
            earlier = Told(self.ctx, relation, self.present).unsure(schema)
            for model in sorted(below):
                some = [f"x.generation IN ({', '.join(map(str, earlier.get(model) or [-1]))})", gone]
                some += ["TRUE"] if model == relation else []
                mine = f"{rows} x.model = {literal(model)} AND ({' OR '.join(some)}) AND {whole}"
                self._name(f"INSERT INTO {found} SELECT {literal(schema)}", mine, where, table, model)
            for model, made in Told(self.ctx, relation, self.told).unsure(schema).items():
                test = self._over(where, table, model) if wanted is not None else None
                lacks = f"NOT ({whole})" if test is not None else "TRUE"
                some_of = f"x.model = {literal(model)} AND x.generation IN ({', '.join(map(str, made))})"
                self._do(f"{into} {rows} {some_of} AND {lacks}")
        return found

    def _over(self, where: str, table: Table, model: str) -> str | None:
        """The predicate over a model's error records; None where it cannot be asked of what is kept."""
        hidden = self.pseudonyms.hidden(model)
        return over_hashes(where, table.columns, hidden, self.pseudonyms) if hidden else where

    def _name(self, into: str, rows: str, where: str, table: Table, model: str) -> None:
        """Take in the error records that the predicate names."""
        import duckdb

        test = self._over(where, table, model)
        if test is None:
            return
        values = values_of(table.columns, "x.record", self.pseudonyms.hidden(model))
        inner = f"SELECT x.generation AS __cdme_generation, x.reject AS __cdme_reject, {values} FROM {rows}"
        assert isinstance(self.ctx.store.con, duckdb.DuckDBPyConnection)
        aside = self.ctx.store.con.cursor()
        for tried in (f"TRY({test}\n)", f"({test}\n)"):  # TRY takes no subquery
            chosen = f"({inner}) AS r WHERE {tried}"
            try:  # on a connection of its own: what does not bind aborts the transaction
                aside.execute(f"EXPLAIN SELECT 1 FROM {chosen}")
            except duckdb.Error:  # it asks for what a rejected record has not, such as a row id
                continue
            self._do(f"{into}, __cdme_generation, __cdme_reject FROM {chosen}")
            break

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
