"""Settings from a YAML file, as tests want them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shelly_exporter.settings import Settings, SettingsError
from shelly_exporter.settings.source import load

type Write = Callable[[str], Path]


def settings(path: Path, **environ: str) -> Settings:
    return load(path, environ)


def problems(path: Path, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(path, environ)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)
