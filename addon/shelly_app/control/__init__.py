"""The small daemon between Home Assistant and the services: logins, roles, alerts, and what the app offers."""

from .settings import files

__all__ = ["files"]
