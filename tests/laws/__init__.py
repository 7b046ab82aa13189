"""The laws of the record-level contract, checked over generated queries against the oracle."""
