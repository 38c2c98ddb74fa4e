"""The ledger is bounded, says what it dropped, and answers from a moment on."""

from typing import Any

import pytest

from tests.fidelity.devices import bench
from tests.simulator import ledger as ledgers
from tests.simulator.ledger import Ledger, components


def test_oldest_rows_go_first_and_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "ENERGY_ROWS", 3)
    ledger = Ledger()
    for minute in range(5):
        ledger.energy("a", minute * 60.0 + 1, 1.0, 0.0)
    for turn in range(ledgers.EDGES + 2):
        ledger.edge(float(turn), "switch", 0, on=True, source="MQTT")
    told = ledger.read()
    assert [row["minute"] for row in told["energy"]] == [120, 180, 240]
    assert (told["edges"][0]["ts"], len(told["edges"])) == (2.0, ledgers.EDGES)
    assert told["dropped"] == {"energy": 2, "edges": 2, "frames": 0}


def test_reading_from_a_moment_includes_its_minute() -> None:
    found = bench("pro3em")
    found.run(300)
    begin = 1_790_000_040
    assert {row["minute"] for row in found.device.ledger.read(begin + 130)["energy"]} == {
        begin + 120, begin + 180, begin + 240,
    }  # fmt: skip


def test_frames_are_noted_with_road_and_components() -> None:
    found = bench("pro3")
    found.run(5)
    found.device.ledger.frame_sent("mqtt", "NotifyStatus", {"params": {"ts": 1.0, "switch:0": {"output": True}}})
    found.device.ledger.frame_sent("ws", "NotifyEvent", {"params": {"ts": 1.0, "events": [{"component": "input:1"}]}})
    found.device.ledger.frame_sent("http", "Shelly.GetStatus", {"result": {"sys": {}, "wifi": {}}})
    frames = found.device.ledger.read()["frames"]
    assert [(frame["road"], frame["kind"], frame["components"]) for frame in frames] == [
        ("mqtt", "NotifyStatus", ["switch:0"]),
        ("ws", "NotifyEvent", ["input:1"]),
        ("http", "Shelly.GetStatus", ["sys", "wifi"]),
    ]
    assert {frame["ts"] for frame in frames} == {found.clock.now()}


@pytest.mark.parametrize(
    "frame", [{"id": 1, "error": {"code": 404, "message": "No handler"}}, {"id": 1, "result": None}]
)
def test_an_answer_without_components_names_none(frame: dict[str, Any]) -> None:
    assert components(frame) == []
