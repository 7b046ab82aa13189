"""DuckDB today: its catalog, the proof of a reading, row ids and fingerprints."""
