"""Runs with several threads: the same ledgers whatever their number, and no conflicts."""
