"""Our own InfluxDB: how it is configured, set up, and found again when the app was installed anew."""

from collections.abc import Mapping
from pathlib import Path

from shelly_app.files import File
from shelly_app.setup import Setup

from . import configuration, settings, tokens
from .configuration import command, environment
from .recovery import adopt

__all__ = ["adopt", "command", "environment", "files"]


def files(setup: Setup) -> Mapping[Path, File]:
    """Return all that InfluxDB and the service `database` read, and the tokens that are known already."""
    return {**configuration.files(setup), **settings.files(setup), **tokens.known(setup)}
