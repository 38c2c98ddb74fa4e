"""The two roads to a device: what is sent where, and what is passed on."""

import pytest

from shelly_core import LinkClosedError, Signal, Transport
from shelly_exporter.devices.roads import MqttRoad


class Signals(list[tuple[Signal, str]]):
    """What was told of the road."""

    def take(self, signal: Signal, reason: str) -> None:
        self.append((signal, reason))


def no_frame(_frame: bytes) -> None:
    raise AssertionError


async def test_requests_go_to_the_devices_topic() -> None:
    published: list[tuple[str, bytes]] = []
    road = MqttRoad(lambda *message: published.append(message), "house/meter")
    assert road.transport is Transport.MQTT
    await road.open(no_frame, Signals().take)
    await road.send(b"{}")
    road.prefix = "house/other"
    await road.send(b"[]")
    assert published == [("house/meter/rpc", b"{}"), ("house/other/rpc", b"[]")]


async def test_without_a_broker_nothing_is_sent() -> None:
    def refuse(_topic: str, _payload: bytes) -> None:
        raise LinkClosedError("no broker")

    with pytest.raises(LinkClosedError, match="no broker"):
        await MqttRoad(refuse, "p").send(b"{}")


async def test_a_road_tells_when_the_broker_comes_and_goes() -> None:
    road, signals = MqttRoad(lambda *_: None, "p"), Signals()
    road.follow_broker(connected=False, reason="nobody listens yet")
    await road.open(no_frame, signals.take)
    assert signals == [(Signal.DISCONNECTED, "nobody listens yet")]
    for connected in (False, True, True, False, False):
        road.follow_broker(connected=connected, reason=f"{connected}")
    assert signals[1:] == [(Signal.CONNECTED, "True"), (Signal.DISCONNECTED, "False")]
    road.signal(Signal.OFFLINE, "gone")
    assert signals[3:] == [(Signal.OFFLINE, "gone")]
    await road.close()
    road.follow_broker(connected=True, reason="closed")
    road.signal(Signal.OFFLINE)
    assert len(signals) == 4
    await road.open(no_frame, signals.take)
    assert signals[4:] == [(Signal.CONNECTED, "closed")]


async def test_a_road_does_not_pretend_that_there_is_a_broker() -> None:
    road, signals = MqttRoad(lambda *_: None, "p"), Signals()
    await road.open(no_frame, signals.take)
    assert signals == [(Signal.DISCONNECTED, "not connected to the broker yet")]
