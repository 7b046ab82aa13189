"""The ``cdme`` command: options, output and one file for each command."""
