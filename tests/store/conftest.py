"""The fixture of the functional tests."""

from tests.functional.conftest import project

__all__ = ["project"]
