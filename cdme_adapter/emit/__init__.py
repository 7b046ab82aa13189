"""OpenLineage: what a run did, told to a collector (REQ-NFR-OBS-001).

``switch`` says whether a transport is configured; nothing else here is imported when there is none.
``facts`` (of the manifest), the run's ledger and the database's catalog become ``events``, which wait
in the database (``outbox``) until ``delivery`` has handed them over. ``publish`` does it in order.
"""
