"""Many Pro 3EM as bytes: what each tells and answers, made from recordings with other ids and numbers."""

import json
import time
from pathlib import Path

from tests.benchmarks.exporter_wire import publish_packet
from tests.stack import REPOSITORY

FIXTURES = REPOSITORY / "tests" / "fixtures" / "shellypro3em-1.7.5"
RECORDED_ID = "shellypro3em-fce8c0d41a90"
VARIANTS = 97
"""Different sets of numbers: two readings of one device that follow each other are never alike."""
STEP_S = 0.01
"""Between two readings of one device in a blast: as fine as a device tells the time."""
FIELDS = 21
"""Numbers in a reading."""


def device_ids(count: int) -> tuple[str, ...]:
    """Return the ids of devices that nobody has."""
    return tuple(f"shellypro3em-fce8c1{number:06x}" for number in range(count))


class Meter:
    """One device: `reading` and `counters` are packets to publish."""

    def __init__(self, device_id: str) -> None:
        self.id = device_id
        self._topic = f"{device_id}/events/rpc"
        self._head = f'{{"src":"{device_id}","dst":"{device_id}/events","method":"NotifyStatus","params":{{"ts":'

    def reading(self, ts: float, number: int, mid: int) -> bytes:
        """Return what it tells of `em:0`, all fields, at `ts`; the numbers are those of variant `number`."""
        return publish_packet(self._topic, f"{self._head}{ts:.2f}{READINGS[number % VARIANTS]}".encode(), mid)

    def counters(self, ts: float, number: int, mid: int) -> bytes:
        """Return what it tells of `emdata:0` once a minute; the counters grow with `number`."""
        return publish_packet(self._topic, f"{self._head}{ts:.2f}{_counters(number)}".encode(), mid)


def _reading(number: int) -> str:
    """Return `em:0` with numbers that agree with each other."""
    phases = {}
    for name, voltage, current in (("a", 231.7, 4.4), ("b", 232.1, 0.027), ("c", 233.4, 7.9)):
        volt, ampere = round(voltage + number / 100, 1), round(current + number / 97, 3)
        active, apparent = round(volt * ampere * 0.98, 1), round(volt * ampere, 1)
        phases[name] = {"act_power": active, "aprt_power": apparent, "current": ampere, "freq": 50.0, "pf": 0.98}
        phases[name]["voltage"] = volt
    told: dict[str, float | None] = {
        f"{name}_{field}": value for name, fields in phases.items() for field, value in fields.items()
    }
    told["n_current"] = None
    for field, digits in (("act_power", 3), ("aprt_power", 3), ("current", 3)):
        told[f"total_{field}"] = round(sum(fields[field] for fields in phases.values()) + 0.001, digits)
    return f',"em:0":{json.dumps({"id": 0, **told}, separators=(",", ":"))}}}}}'


def _counters(number: int) -> str:
    told = {"id": 0, "a_total_act_energy": 1284427.21 + number, "a_total_act_ret_energy": 0.0}
    told |= {"b_total_act_energy": 0.0, "b_total_act_ret_energy": 0.0}
    told |= {"c_total_act_energy": 301877.19, "c_total_act_ret_energy": 955012.04}
    told |= {"total_act": 1586304.40 + number, "total_act_ret": 955012.04}
    return f',"emdata:0":{json.dumps(told, separators=(",", ":"))}}}}}'


READINGS = tuple(map(_reading, range(VARIANTS)))


class Answers:
    """What the devices answer."""

    def __init__(self) -> None:
        paths = {method: FIXTURES / f"{method}.json" for method in METHODS}
        self._texts = {method: _minified(path) for method, path in paths.items()}

    def to(self, topic: str, payload: bytes) -> bytes | None:
        """Return the packet that answers a request; `None` if the method is not known."""
        request = json.loads(payload)
        text = self._texts.get(request["method"])
        if text is None:
            return None
        device_id = topic.removesuffix("/rpc")
        result = text.replace(RECORDED_ID, device_id).replace(_mac(RECORDED_ID), _mac(device_id))
        result = result.replace('"unixtime":1763989245', f'"unixtime":{int(time.time())}')
        answer = f'{{"id":{request["id"]},"src":"{device_id}","dst":"{request["src"]}","result":{result}}}'
        return publish_packet(f"{request['src']}/rpc", answer.encode(), None)


METHODS = ("Shelly.GetDeviceInfo", "Shelly.GetConfig", "Shelly.GetStatus")


def _minified(path: Path) -> str:
    content = json.loads(path.read_text())
    if path.stem == "Shelly.GetStatus":
        # Or else an answer would be a reading, too, and those that were told could not be counted.
        content["em:0"] = {"id": 0}
    return json.dumps(content, separators=(",", ":"))


def _mac(device_id: str) -> str:
    return device_id.rpartition("-")[2].upper()
