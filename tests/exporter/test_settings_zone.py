"""Where the time zone of the system comes from."""

import shutil
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shelly_exporter.settings.zone import system_zone, zone_named, zone_of_variable

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def berlin_file(tmp_path: Path) -> Path:
    """The data of a zone, in a folder named as the system's is."""
    path = tmp_path / "zoneinfo" / "Europe" / "Berlin"
    path.parent.mkdir(parents=True)
    path.write_bytes((resources.files("tzdata") / "zoneinfo" / "Europe" / "Berlin").read_bytes())
    return path


@pytest.mark.parametrize(
    "tz", ["Europe/Berlin", ":Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin", ":/usr/share/zoneinfo/Europe/Berlin"]
)
def test_tz_names_it(tz: str, tmp_path: Path) -> None:
    assert system_zone({"TZ": tz}, tmp_path) == BERLIN


@pytest.mark.parametrize("tz", ["", "CET-1CEST,M3.5.0,M10.5.0/3", ":/etc/localtime", "Europe", "../x", "Nowhere/Land"])
def test_what_names_none(tz: str, tmp_path: Path) -> None:
    assert zone_of_variable({"TZ": tz}) is None
    assert system_zone({"TZ": tz}, tmp_path) == ZoneInfo("UTC")


def test_the_link_names_it(tmp_path: Path, berlin_file: Path) -> None:
    (tmp_path / "localtime").symlink_to(berlin_file)
    (tmp_path / "timezone").write_text("Asia/Tokyo\n")
    assert system_zone({}, tmp_path) == BERLIN


def test_the_other_file_names_it_where_localtime_is_a_copy(tmp_path: Path, berlin_file: Path) -> None:
    shutil.copy(berlin_file, tmp_path / "localtime")
    (tmp_path / "timezone").write_text("Europe/Berlin\n")
    assert system_zone({}, tmp_path) == BERLIN


@pytest.mark.parametrize("name", ["", "Nowhere/Land\n", None])
def test_a_copy_without_a_name_still_tells_the_time(tmp_path: Path, berlin_file: Path, name: str | None) -> None:
    shutil.copy(berlin_file, tmp_path / "localtime")
    if name is not None:
        (tmp_path / "timezone").write_text(name)
    zone = system_zone({}, tmp_path)
    assert zone.key == "localtime"
    assert datetime(2026, 7, 1, tzinfo=UTC).astimezone(zone).utcoffset() == timedelta(hours=2)


def test_nothing_to_go_by_is_utc(tmp_path: Path) -> None:
    assert system_zone({}, tmp_path) == ZoneInfo("UTC")
    (tmp_path / "localtime").write_bytes(b"no zone")
    (tmp_path / "timezone").write_bytes(b"\xff")
    assert system_zone({}, tmp_path) == ZoneInfo("UTC")


def test_names() -> None:
    assert zone_named("Asia/Kathmandu") == ZoneInfo("Asia/Kathmandu")
    assert zone_named("") is None
