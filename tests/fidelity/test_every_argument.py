"""Every argument of every method and every key of every configuration, with values of every wrong type."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, override

import pytest

from tests.fidelity.devices import Bench, bench
from tests.simulator import wire
from tests.simulator.models import MODELS
from tests.simulator.rpc import RpcFault
from tests.simulator.wire import Json

GOOD: dict[str, Json] = {
    "id": 0, "on": True, "event_type": "single_push", "type": ["on_time"], "config": {}, "user": "admin",
    "ha1": "ab" * 32, "data": "-----BEGIN", "name": "monophase", "unixtime": 1_800_000_000,
}  # fmt: skip
WRONG: tuple[Json, ...] = (
    None, True, False, 0, 1, -1, 2**70, 0.5, 1e308, float("nan"), float("inf"), "", "x", "a\ud800b", "\x00", "x" * 5000,
    [], [None], [[]], [{}], ["on_time", {}], {}, {"": None}, {"x": []}, {"id": {}},
)  # fmt: skip


class Asked(dict[str, Json]):
    """Parameters that note which of them a method looks for."""

    def __init__(self, params: dict[str, Json]) -> None:
        super().__init__(params)
        self.names: dict[str, None] = {}

    @override
    def __contains__(self, name: object) -> bool:
        self.names[str(name)] = None
        return super().__contains__(name)

    @override
    def get(self, name: str, default: Any = None, /) -> Any:
        self.names[name] = None
        return super().get(name, default)


def good(found: Bench) -> dict[str, Json]:
    return GOOD | {"realm": found.device.id}


def arguments_of(model: str, method: str) -> list[str]:
    """Return the names that `method` looks for when nothing is wrong with what it gets."""
    found = bench(model, "2.0")
    params = Asked(good(found))
    with suppress(RpcFault):
        found.device.handle(method, params, source="HTTP_in")
    return list(params.names)


def methods_of(model: str) -> list[str]:
    methods: list[str] = bench(model, "2.0").call("Shelly.ListMethods")["methods"]
    return methods


def paths(config: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield every section and every leaf below it."""
    for key, value in config.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, *path) for path in paths(value))


def nested(path: tuple[str, ...], value: Json) -> dict[str, Json]:
    """Return a configuration that holds `value` at `path` and nothing else."""
    first, *rest = path
    return {first: nested(tuple(rest), value) if rest else value}


def ask(found: Bench, method: str, params: dict[str, Json]) -> None:
    """Call; what comes is an answer in UTF-8 or a refusal, and the device is still able to tell how it is."""
    with suppress(RpcFault):
        wire.dumps(found.call(method, **params)).encode()
    if found.device.shutting_down_at is not None:
        found.device.boot()
    try:
        found.device.status()
    except Exception as error:
        raise AssertionError(f"after {method} {str(params)[:300]}") from error


def tells_everything(found: Bench) -> bool:
    """Whether status, configuration and info can be written in UTF-8."""
    told = (found.device.status(), found.device.config(), found.device.info(), found.device.mqtt_config())
    return all(wire.dumps(part).encode() for part in told)


@pytest.mark.parametrize("model", MODELS)
def test_arguments(model: str) -> None:
    asked = 0
    for method in methods_of(model):
        found = bench(model, "2.0")
        names = arguments_of(model, method)
        for name in names:
            right = {key: value for key, value in good(found).items() if key in names and key != name}
            for params in (right, *(right | {name: wrong} for wrong in WRONG)):
                ask(found, method, params)
                asked += 1
        assert tells_everything(found), method
    assert asked > 1000


@pytest.mark.parametrize("model", ["pro3", "pro3em", "pro3em-mono"])
def test_configuration(model: str) -> None:
    """One value after the other, so that each meets what the one before left behind."""
    found = bench(model, "2.0")
    asked = 0
    spaces = {method.partition(".")[0].lower(): method for method in methods_of(model) if method.endswith(".SetConfig")}
    for component, config in found.device.config().items():
        kind, _, number = component.partition(":")
        if number not in {"", "0"}:
            continue
        for path in paths(config):  # type: ignore[arg-type]
            for value in WRONG:
                ask(found, spaces[kind], {"id": 0, "config": nested(path, value)})
                asked += 1
            assert tells_everything(found), path
    found.call("Shelly.Reboot", delay_ms=0)
    found.run(3)
    assert tells_everything(found)
    assert asked > 1500


@pytest.mark.parametrize(
    ("method", "first", "then", "name"),
    [
        ("Sys", {"location": None}, {"location": "x"}, "location"),
        ("Sys", {"location": None}, {"location": {"tz": 5}}, "tz"),
        ("Sys", {"device": {"name": None}}, {"device": "x"}, "device"),
        ("Mqtt", {"user": None}, {"user": 5}, "user"),
        ("Mqtt", {"pass": None}, {"pass": []}, "pass"),
        ("Switch", {}, {"auto_off_delay": None}, "auto_off_delay"),
    ],
)
def test_what_is_null_keeps_its_type(method: str, first: dict[str, Json], then: dict[str, Json], name: str) -> None:
    found = bench("pro3")
    found.call(f"{method}.SetConfig", id=0, config=first)
    with pytest.raises(RpcFault, match=f"-103: Invalid argument '{name}'!"):
        found.call(f"{method}.SetConfig", id=0, config=then)


def test_a_section_that_is_null_can_be_filled_again() -> None:
    found = bench("pro3")
    found.call("Sys.SetConfig", config={"location": None})
    assert found.call("Sys.GetConfig")["location"] is None
    found.call("Sys.SetConfig", config={"location": {"tz": "Europe/Paris"}})
    assert found.call("Sys.GetConfig")["location"] == {"tz": "Europe/Paris", "lat": None, "lon": None}


@pytest.mark.parametrize("params", [{"event_type": []}, {"event_type": {}}, {"event_type": "kick"}, {}])
def test_no_event_but_a_push_can_be_triggered(params: dict[str, Json]) -> None:
    found = bench("pro3")
    with pytest.raises(RpcFault, match=r"-103: .*event_type"):
        found.call("Input.Trigger", id=0, **params)
    assert found.told == []
