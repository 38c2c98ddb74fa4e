"""The gateway: nginx in front of Grafana, the only way in."""

from .configuration import command, files

__all__ = ["command", "files"]
