"""Whatever arguments arrive, a device answers or refuses; nothing else escapes."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fidelity.devices import Bench, bench
from tests.simulator import wire
from tests.simulator.rpc import RpcFault
from tests.simulator.wire import Json

LETTERS = st.text('aZ0é#$%/." ', max_size=6)
NUMBERS = st.integers(-(2**40), 2**40) | st.floats() | st.integers(-2, 4_000_000_000)
SCALARS: st.SearchStrategy[Json] = st.none() | st.booleans() | NUMBERS | LETTERS
ARRAYS: st.SearchStrategy[Json] = st.lists(SCALARS, max_size=3)
OBJECTS: st.SearchStrategy[Json] = st.dictionaries(LETTERS, SCALARS, max_size=3)
VALUES = SCALARS | ARRAYS | OBJECTS
NAMES = (
    "on", "toggle_after", "type", "event_type", "config", "offset", "include", "keys", "dynamic_only", "delay_ms",
    "user", "realm", "ha1", "data", "append", "name", "unixtime", "stage", "ident",
)  # fmt: skip
IDS = st.fixed_dictionaries({}, optional={"id": st.integers(0, 2) | VALUES})
OPTIONS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)
KEYS = (
    "enable", "name", "server", "user", "pass", "topic_prefix", "client_id", "ssl_ca", "in_mode", "type", "reverse",
    "device", "auto_off", "auto_off_delay", "location", "id", "sta", "cfg_rev", "invert", "initial_state", "tz", "ssid",
)  # fmt: skip
CONFIGS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4)


@pytest.mark.parametrize("model", ["pro3", "pro3em", "pro3em-mono"])
@settings(deadline=None, derandomize=True, max_examples=100)
@given(data=st.data())
def test_any_arguments(model: str, data: st.DataObject) -> None:
    found = bench(model, "2.0")
    method = data.draw(st.sampled_from(found.call("Shelly.ListMethods")["methods"]))
    answers_on(found, method, data.draw(OPTIONS) | data.draw(IDS))


@pytest.mark.parametrize("method", ["Sys", "Mqtt", "Switch", "Input", "Wifi", "Eth", "Ws"])
@settings(deadline=None, derandomize=True, max_examples=40)
@given(config=CONFIGS, nested=CONFIGS)
def test_any_configuration(method: str, config: dict[str, Json], nested: dict[str, Json]) -> None:
    inner = {"Sys": "device", "Wifi": "sta"}.get(method, "no_such")
    answers_on(bench("pro3", "2.0"), f"{method}.SetConfig", {"id": 0, "config": config | {inner: nested}})


def answers_on(found: Bench, method: str, params: dict[str, Json]) -> None:
    with suppress(RpcFault):
        wire.dumps(found.call(method, **params))
    found.run(3)
    assert wire.dumps(found.device.status())
    found.device.reboot(0.0)
    found.run(1)
    assert wire.dumps(found.device.config())
