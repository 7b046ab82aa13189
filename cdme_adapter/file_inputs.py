"""Generations of files that a model reads (read_csv, read_parquet, read_json, glob)."""

from __future__ import annotations

from cdme_adapter.capture.plan import RelationInfo
from cdme_adapter.engines.base import Execute
from cdme_adapter.engines.files import SCAN, file_fingerprint
from cdme_adapter.provenance import stable_id
from cdme_adapter.store.writer import Generation, StoreWriter


def register_files(
    execute: Execute, side: Execute, store: StoreWriter, info: RelationInfo, run_id: str
) -> tuple[int, int]:
    """Write the generation of files as the model read them; its number and its count of records.

    The count is that of the scan that the model's rows came from. Written with the model: files may
    change between two models of a run.
    """
    count = int(execute(f"SELECT count(*) FROM {info.quoted}")[0][0])
    mark = file_fingerprint(side, info.paths or "''")
    number = stable_id("generation", info.id, info.scan or "", mark or run_id, store.schema)
    if not store.has_generation(number):
        store.generation(
            Generation(number, info.id, run_id, "file", "", SCAN, info.scan or "", count, mark)
        )
    return number, count
