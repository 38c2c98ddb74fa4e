"""The service tree of the image: right types, scripts that can be run, dependencies that exist, no circle."""

from pathlib import Path

import pytest

from tests.stack.rehearsal.graph import BASE, Definition, closure, members, needs, order, read
from tests.stack.rehearsal.world import ROOTFS

FOLDER = ROOTFS / "etc/s6-overlay/s6-rc.d"
DEFINITIONS = read(FOLDER)
LONGRUNS = sorted(name for name, definition in DEFINITIONS.items() if definition.kind == "longrun")
ALLOWED = {
    "bundle": {"type", "contents.d"},
    "oneshot": {"type", "up", "dependencies.d"},
    "longrun": {"type", "run", "finish", "dependencies.d", "notification-fd", "timeout-kill"},
}


def test_what_there_is() -> None:
    assert LONGRUNS == ["control", "database", "exporter", "gateway", "grafana", "influxdb", "mosquitto"]
    assert {name: definition.kind for name, definition in DEFINITIONS.items() if name not in LONGRUNS} == {
        "history": "bundle",
        "prepare": "oneshot",
        "user": "bundle",
    }


@pytest.mark.parametrize("name", DEFINITIONS)
def test_only_files_that_s6_knows(name: str) -> None:
    definition = DEFINITIONS[name]
    assert {path.name for path in definition.folder.iterdir()} <= ALLOWED[definition.kind]


@pytest.mark.parametrize("name", LONGRUNS)
def test_scripts_are_one_command_and_can_be_run(name: str) -> None:
    for script, words in (("run", f"launch {name}"), ("finish", f'ended {name} "$1" "$2"')):
        path = FOLDER / name / script
        assert path.read_text() == f"#!/bin/sh\nexec shelly-app {words}\n"
        assert path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("name", LONGRUNS)
def test_a_service_gets_time_to_end_and_is_killed_only_then(name: str) -> None:
    assert 5_000 <= int((FOLDER / name / "timeout-kill").read_text()) <= 60_000


def test_the_first_step_is_a_command() -> None:
    assert (FOLDER / "prepare/up").read_text() == "/usr/bin/shelly-app prepare\n"


def test_all_is_started_by_the_bundle_of_the_image() -> None:
    assert closure(DEFINITIONS, ["user"]) == {"prepare", *LONGRUNS}


@pytest.mark.parametrize("name", LONGRUNS)
def test_nothing_starts_before_the_files_are_there(name: str) -> None:
    assert {BASE, "prepare"} <= DEFINITIONS[name].dependencies


def test_who_needs_whom() -> None:
    above = {name: needs(DEFINITIONS, name) - {"prepare"} for name in LONGRUNS}
    assert above == {
        "control": {"mosquitto"},
        "database": {"influxdb"},
        "exporter": {"mosquitto"},
        "gateway": set(),
        "grafana": {"influxdb"},
        "influxdb": set(),
        "mosquitto": set(),
    }


def test_history_can_be_stopped_alone() -> None:
    history = members(DEFINITIONS, "history")
    assert history == {"influxdb", "database", "grafana"}
    others = set(LONGRUNS) - history
    assert closure(DEFINITIONS, others) & history == set()


def test_only_the_broker_is_waited_for() -> None:
    assert [name for name in LONGRUNS if DEFINITIONS[name].notifies] == ["mosquitto"]
    assert (FOLDER / "mosquitto/notification-fd").read_text() == "3\n"


def test_no_script_ends_the_container() -> None:
    scripts = [path for path in ROOTFS.rglob("*") if path.is_file()]
    assert not [path for path in scripts if "halt" in path.read_text() or "exitcode" in path.read_text()]


def test_what_is_needed_comes_first() -> None:
    names = order(DEFINITIONS, ["user"])
    assert set(names) == {"prepare", *LONGRUNS}
    assert all(names.index(needed) < names.index(name) for name in names for needed in needs(DEFINITIONS, name))


def test_a_circle_is_told() -> None:
    with pytest.raises(ValueError, match="need each other: one, two"):
        order({"one": _definition("two"), "two": _definition("one")}, ["one"])


def _definition(*dependencies: str) -> Definition:
    return Definition(folder=Path(), kind="longrun", dependencies=frozenset(dependencies), contents=frozenset())
