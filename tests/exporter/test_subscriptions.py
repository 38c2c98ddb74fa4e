"""What the exporter subscribes to."""

from typing import Any

from shelly_exporter import devices as module
from shelly_exporter.devices import DROPPED
from shelly_exporter.settings import Cluster, Mqtt, Settings
from shelly_exporter.subscriptions import subscriptions
from tests.exporter.device_stage import METER, Shelly


def test_subscriptions_alone() -> None:
    settings = Settings(mqtt=Mqtt(client_id="me", prefixes=("+", "house/+")))
    assert subscriptions(settings) == {
        "+/events/rpc": 1,
        "+/online": 1,
        "house/+/events/rpc": 1,
        "house/+/online": 1,
        "me/rpc": 1,
        DROPPED: 0,
    }


def test_a_group_shares_what_devices_tell_and_nothing_else() -> None:
    """Each must know who is there, and has its own answers."""
    settings = Settings(mqtt=Mqtt(client_id="me"), cluster=Cluster(group="house"))
    assert subscriptions(settings) == {"$share/house/+/events/rpc": 1, "+/online": 1, "me/rpc": 1, DROPPED: 0}


def test_what_is_subscribed_is_understood() -> None:
    shelly: dict[str, Any] = Shelly(METER).info
    topics = {f"{shelly['id']}{ending}" for ending in (module.EVENTS, module.ONLINE)}
    assert {topic.replace(shelly["id"], "+") for topic in topics} <= subscriptions(Settings()).keys()
