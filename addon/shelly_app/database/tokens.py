"""The files in which the exporter and Grafana find their tokens for our InfluxDB."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from shelly_app.files import File, Files
from shelly_app.places import Layout
from shelly_app.setup import Setup

from .configuration import bolt, enabled


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFile:
    """Where a token stands, and who may read it."""

    path: Path
    owner: str | None

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Return what was written down."""
        return cls(path=Path(values["path"]), owner=values["owner"])

    def holding(self, token: str) -> Files:
        """Return the file with the token in it."""
        return {self.path: File(text=token, owner=self.owner)}


def writer_file(layout: Layout) -> TokenFile:
    """Return the exporter's."""
    return TokenFile(path=layout.places.writer_token, owner=layout.accounts.exporter)


def reader_file(layout: Layout) -> TokenFile:
    """Return Grafana's."""
    return TokenFile(path=layout.places.grafana / "token", owner=layout.accounts.grafana)


def known(setup: Setup) -> Files:
    """Return the files with tokens from an earlier start, so that nobody has to wait for InfluxDB.

    When InfluxDB's own files are gone, it will not know these tokens: then they are waited for.
    """
    if not enabled(setup) or not bolt(setup.layout.places).exists():
        return {}
    writer, reader = setup.secrets.writer_token, setup.secrets.reader_token
    return {
        **({} if writer is None else writer_file(setup.layout).holding(writer)),
        **({} if reader is None or not setup.options.boards.enabled else reader_file(setup.layout).holding(reader)),
    }
