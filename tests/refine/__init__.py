"""The error domain."""
