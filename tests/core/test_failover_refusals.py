"""Devices that answer, but want a password or to be left alone."""

from itertools import pairwise

import pytest

from shelly_core import Transport
from shelly_core.failover import State
from tests.core.failover_world import World

MQTT, HTTP = Transport.MQTT, Transport.HTTP
ON_MQTT, SUSPECT, ON_HTTP, HOLD_DOWN, DOWN = State
PROBE_S = 3.0


def about(at: float) -> object:
    return pytest.approx(at, abs=0.2)


def test_a_refused_password_is_no_way_out() -> None:
    world = World()
    world.retry_after_s = 60.0
    world.start().run(300)
    assert world.state is ON_MQTT
    tried = [at for at, _ in world.asked_since(0.0, HTTP)]
    assert min(at - before for before, at in pairwise(tried)) >= 60.0
    world.lose_broker()
    assert (world.state, world.machine.reason) == (DOWN, "MQTT: the broker is away; HTTP: refused")
    world.run(300)
    tried = [at for at, _ in world.asked_since(0.0, HTTP)]
    assert min(at - before for before, at in pairwise(tried)) >= 60.0
    world.retry_after_s = None
    world.run(61)
    assert world.state is ON_HTTP


def test_a_password_that_is_refused_while_on_http() -> None:
    world = World(mqtt=False).start(HTTP).run(60)
    world.retry_after_s = 60.0
    world.run(10)
    assert world.state is DOWN


def test_a_busy_device_is_left_alone_for_a_moment() -> None:
    world = World(mqtt=False).start(HTTP).run(60)
    world.retry_after_s = 2.5
    world.run(6)
    world.retry_after_s = None
    world.run(60)
    assert world.down_s() == 0.0
