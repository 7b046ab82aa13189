"""The adapter's version; dbt demands a file of this name beside the plugin."""

from cdme_adapter import __version__

version = __version__
