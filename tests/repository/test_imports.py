"""Who may import whom: the arrows of the architecture."""

import subprocess
import sys

import pytest

from tests.repository.sources import (
    APP,
    BOARDS,
    CORE,
    EXPORTER,
    INTEGRATION,
    ROOT,
    SIMULATOR,
    imported_modules,
    python_files,
)

PRODUCT = {"custom_components", "homeassistant", "shelly_app", "shelly_boards", "shelly_core", "shelly_exporter"}


def outside(name: str) -> str | None:
    """The top-level package of an absolute import that is not in the standard library."""
    top = name.partition(".")[0]
    return None if not top or top in sys.stdlib_module_names else top


def test_core_imports_only_itself_the_standard_library_and_its_decoder() -> None:
    for path in python_files(CORE):
        allowed = {"orjson", "aiohttp", "yarl"} if path.name == "http_link.py" else {"orjson"}
        names = set(imported_modules(path))
        assert {top for name in names if (top := outside(name))} <= allowed, path
        assert not [name for name in names if name.startswith("..")], f"{path} reaches out of the core"


def test_simulator_knows_nothing_of_the_product() -> None:
    assert python_files(SIMULATOR)
    for path in python_files(SIMULATOR):
        assert not {outside(name) for name in imported_modules(path)} & PRODUCT, path


def test_integration_imports_home_assistant_and_its_own_core_only() -> None:
    for path in python_files(INTEGRATION):
        if path.is_relative_to(CORE):
            continue
        tops = {top for name in imported_modules(path) if (top := outside(name))}
        # Pages of ours answer with aiohttp's responses, as Home Assistant's own pages do.
        web = {"aiohttp"} if path.name in {"health.py", "metrics.py"} else set()
        assert tops <= {"awesomeversion", "homeassistant", "voluptuous", "yarl"} | web, path


def test_exporter_imports_the_core_and_chosen_libraries_only() -> None:
    chosen = {
        "aiohttp", "influxdb_client", "orjson", "paho", "prometheus_client", "redis", "structlog", "urllib3",
        "voluptuous", "yaml", "yarl",
    }  # fmt: skip
    ours = {"shelly_core", "shelly_exporter"}
    assert python_files(EXPORTER)
    for path in python_files(EXPORTER):
        tops = {top for name in imported_modules(path) if (top := outside(name))}
        assert tops <= chosen | ours, path


def test_app_imports_its_boards_and_chosen_libraries_only() -> None:
    chosen = {"aiohttp", "cryptography", "voluptuous", "yaml"}
    assert python_files(APP)
    for path in python_files(APP):
        tops = {top for name in imported_modules(path) if (top := outside(name))}
        assert tops <= chosen | {"shelly_app", "shelly_boards"}, path


def test_boards_import_nothing_from_outside() -> None:
    assert python_files(BOARDS)
    for path in python_files(BOARDS):
        assert {top for name in imported_modules(path) if (top := outside(name))} <= {"shelly_boards"}, path


@pytest.mark.parametrize("package", ["shelly_app", "shelly_boards", "shelly_core", "shelly_exporter"])
def test_package_imports_without_home_assistant(package: str) -> None:
    blocked = "import sys; sys.modules['homeassistant'] = None; sys.modules['custom_components'] = None; "
    listing = f"import {package}, pkgutil, importlib; "
    every = f"[importlib.import_module(m.name) for m in pkgutil.walk_packages({package}.__path__, '{package}.')]"
    subprocess.run([sys.executable, "-c", blocked + listing + every], cwd=ROOT, check=True)
