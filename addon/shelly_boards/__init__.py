"""Grafana's boards and alert rules as code: panels are data, and `scripts/boards` writes the files that are shipped."""

from .rendering import BoardValues, render

__all__ = ["BoardValues", "render"]
