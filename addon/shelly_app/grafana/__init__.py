"""Grafana: how it is set up, where it finds the readings, which boards and alerts it has."""

from .configuration import command, enabled, files

__all__ = ["command", "enabled", "files"]
