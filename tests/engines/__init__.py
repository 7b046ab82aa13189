"""Tests of what speaks to the engine."""
