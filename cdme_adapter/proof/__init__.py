"""The proof of a run: what an auditor needs who has only a folder and the database (REQ-F-AIA-002)."""
