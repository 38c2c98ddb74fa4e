"""A device that restarts, and what is asked of it to bring it to a broker."""

import asyncio
from collections.abc import Mapping
from typing import Any, override

from custom_components.shelly_pro.broker import Broker
from custom_components.shelly_pro.provisioning import Plan, make_plan
from custom_components.shelly_pro.shelly_core import Client
from tests.integration.fixture_device import FixtureDevice

LOGIN = {"username": "meter", "password": "new words"}
CA = "-----BEGIN CERTIFICATE-----\n" + "x" * 2000


class Restarting(FixtureDevice):
    """A device that restarts when it is told to, and stores a certificate."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.ca: str | None = None
        self.stays_away = False
        self.gone = asyncio.Event()
        """Set once it restarts."""
        self.answers |= {"Mqtt.GetStatus": {"connected": False}}

    @override
    def _result(self, method: str, params: Mapping[str, Any]) -> Any:
        match method:
            case "Shelly.Reboot":
                self.status["sys"]["uptime"] = 0
                self.online = not self.stays_away
                self.gone.set()
                return None
            case "Sys.GetStatus":
                return self.status["sys"]
            case "Shelly.PutUserCA":
                data = params["data"]
                self.ca = None if data is None else (self.ca or "") + data if params["append"] else data
                return {"len": len(self.ca or "")}
            case "Mqtt.SetConfig":
                told = {key: value for key, value in params["config"].items() if key != "pass"}
                return super()._result(method, {"config": told})
        return super()._result(method, params)


def written(device: FixtureDevice) -> list[str]:
    """What was asked of the device that changes it."""
    changing = {"Mqtt.SetConfig", "Shelly.PutUserCA", "Shelly.Reboot"}
    return [method for method, _ in device.calls if method in changing]


def last_password(device: FixtureDevice) -> Any:
    """The MQTT password that the device has in the end."""
    told = [params["config"] for method, params in device.calls if method == "Mqtt.SetConfig"]
    return [config["pass"] for config in told if "pass" in config][-1]


def wanted(**changes: Any) -> Broker:
    return Broker(**{"host": "192.0.2.10", "port": 1883, **LOGIN, **changes})


def plan_for(client: Client, **changes: Any) -> Plan:
    return make_plan(client.device, wanted(**changes))
