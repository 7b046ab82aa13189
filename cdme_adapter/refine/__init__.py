"""The error domain (REQ-F-ERR-001..004, REQ-F-TYP-002): records that fail go aside, with the reason.

``declared`` and ``dbt_tests`` read what is declared, ``checks`` proves it, ``casts`` and ``inputs`` rewrite
the model's SQL for it, ``emission`` runs the query once and parts the good rows from the bad, ``files``
catches lines that do not parse, ``records`` writes the bad ones beside the account, ``verdict`` judges how
many there may be.
docs/errors.md tells the whole.
"""
