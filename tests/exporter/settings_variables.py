"""Settings from variables alone, as tests want them."""

import pytest

from shelly_exporter.settings import Settings, SettingsError
from shelly_exporter.settings.source import load

FOR_INFLUXDB2 = {"SHELLY_INFLUXDB_ORGANISATION": "home", "SHELLY_INFLUXDB_TOKEN": "t"}


def settings(**environ: str) -> Settings:
    return load(None, FOR_INFLUXDB2 | environ)


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(None, environ)
    return list(caught.value.problems)
