"""Judge mappings before they run: findings, verdicts and estimates (REQ-F-AIA-001..003)."""

from cdme_adapter.validation.candidate import validate_candidate
from cdme_adapter.validation.catalog import Catalog, load_catalog
from cdme_adapter.validation.project import ProjectView, project_view
from cdme_adapter.validation.report import Report
from cdme_adapter.validation.validator import Validator, validate_project

__all__ = [
    "Catalog",
    "ProjectView",
    "Report",
    "Validator",
    "load_catalog",
    "project_view",
    "validate_candidate",
    "validate_project",
]
