"""The shapes of queries, one construct a file."""
