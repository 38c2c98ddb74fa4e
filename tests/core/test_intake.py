"""From decoded frames to readings in order: what is taken, what is left out, and what is counted."""

import logging
from typing import Any

import pytest

from shelly_core import DeviceMismatchError, FrameError, NotificationMethod, Reply, Transport, Update
from shelly_core.device import OUTDATED, OVERTAKEN, REPEATED
from shelly_core.device_info import DeviceInfo
from shelly_core.frame import Notification
from shelly_core.intake import EVENT_AGE_S, STALE, Intake
from shelly_core.rpc import Answer
from shelly_core.session import Request
from tests.core.memory_link import NOW
from tests.core.payloads import fixture

NAME = "shellypro3-1.4.4"
ID = "shellypro3-e868e7a1b204"


class Told:
    """An intake that knows a device, with our own clock; `told` lets the device tell something."""

    def __init__(self, ahead: float | None = 0.0) -> None:
        self.intake = Intake()
        self.wall = NOW
        self.ahead = ahead
        """How far the device's clock is ahead; `None` if it has not got the time yet."""
        self.status = fixture(NAME, "Shelly.GetStatus")
        self.status["sys"]["uptime"] = 7
        self.intake.meet(DeviceInfo.parse(fixture(NAME, "Shelly.GetDeviceInfo")))
        self.answer()

    def answer(
        self, method: str = "Shelly.GetStatus", result: Any = ..., asked: float | None = None, **params: Any
    ) -> Update | None:
        self.status["sys"]["unixtime"] = None if self.ahead is None else int(self.wall + self.ahead)
        request = Request(1, method, params, b"", 0.0)
        asked = self.wall if asked is None else asked
        answer = Answer(request, self.status if result is ... else result, ID, asked, self.wall)
        return self.intake.take_answer(answer, Transport.HTTP, self.now)

    @property
    def now(self) -> float:
        """Monotonic seconds, unlike `wall`."""
        return self.wall - NOW

    def told(self, ts: float | None, source: str = ID, **changes: Any) -> Update:
        params = {key.replace("_", ":"): delta for key, delta in changes.items()}
        return self._take(Notification(source, NotificationMethod.STATUS, ts, params))

    def happened(self, ts: float | None, event: str = "single_push", component: str = "input:0") -> Update:
        raw = {"component": component, "event": event} | ({} if ts is None else {"ts": ts})
        return self._take(Notification(ID, NotificationMethod.EVENT, ts, {"events": [raw]}))

    def _take(self, notification: Notification) -> Update:
        return self.intake.take_notification(notification, Transport.MQTT, self.now, self.wall)

    @property
    def output(self) -> Any:
        assert self.intake.device is not None
        return self.intake.device.status["switch:0"]["output"]


def test_a_reading_has_the_time_of_the_device() -> None:
    told = Told()
    told.wall += 2
    update = told.told(NOW + 1.5, switch_0={"output": True})
    output = {"switch:0": {"output": True}}
    assert update == Update(
        frozenset({"switch:0"}), (), Transport.MQTT, full=False, ts=NOW + 1.5, told=output, stamp=NOW + 1.5
    )
    assert (told.intake.last_reading_ts, told.intake.last_reading_at) == (NOW + 1.5, 2.0)
    assert told.intake.readings == len(told.status) + 1
    # The same once more at another time is a reading of that time, but tells nothing new.
    told.wall += 1
    assert told.told(NOW + 2.5, switch_0={"output": True}).changed == set()
    assert (told.intake.last_reading_ts, told.intake.last_reading_at) == (NOW + 2.5, 3.0)
    assert told.intake.readings == len(told.status) + 1
    # The device did not say when.
    assert told.told(None, switch_0={"output": False}).ts is None
    assert told.intake.last_reading_ts == NOW + 2.5


def test_a_late_frame_is_dropped_and_something_may_have_been_missed() -> None:
    told = Told()
    told.told(NOW + 2, switch_0={"output": True})
    assert not told.intake.missed
    update = told.told(NOW + 1, switch_0={"source": "timer"})
    assert (update.changed, told.output) == (frozenset(), True)
    assert (update.ts, update.told) == (NOW + 1, {"switch:0": {"source": "timer"}})
    assert told.intake.drops == {OVERTAKEN: 1}
    assert told.intake.missed
    assert told.intake.last_reading_ts == NOW + 2


def test_a_frame_older_than_the_last_whole_status_is_dropped_but_nothing_is_missed() -> None:
    told = Told()
    told.wall += 5
    told.answer()
    assert told.told(NOW + 3, switch_0={"output": True}).changed == set()
    assert (told.intake.drops, told.intake.missed, told.output) == ({OUTDATED: 1}, False, False)


def test_a_repeated_frame_is_dropped_and_nothing_is_missed() -> None:
    told = Told()
    for _ in range(3):
        told.told(NOW + 1, switch_0={"output": True})
    assert told.intake.readings == len(told.status) + 1
    assert (told.intake.drops, told.intake.missed) == ({REPEATED: 2}, False)


def test_a_status_does_not_undo_what_was_told_since_it_was_asked_for() -> None:
    told = Told()
    told.wall += 1
    told.told(NOW + 0.5, switch_0={"output": True})
    update = told.answer(asked=NOW + 0.4)
    assert update == Update(
        frozenset({"sys"}), (), Transport.HTTP, full=True, ts=NOW + 0.4, told=told.status, asked=True, stamp=NOW + 0.4
    )
    assert told.output is True
    update = told.answer("Switch.GetStatus", told.status["switch:0"], asked=NOW + 0.4, id=0)
    relay = {"switch:0": told.status["switch:0"]}
    assert update == Update(
        frozenset(), (), Transport.HTTP, full=False, ts=NOW + 0.4, told=relay, asked=True, stamp=NOW + 0.4
    )
    assert told.output is True
    update = told.answer(asked=NOW + 0.5)
    assert update == Update(
        frozenset({"switch:0"}),
        (),
        Transport.HTTP,
        full=True,
        ts=NOW + 0.5,
        told=told.status,
        asked=True,
        stamp=NOW + 0.5,
    )
    assert told.output is False


@pytest.mark.parametrize("ahead", [-7200.0, -60.0, 90.0, 86_400.0])
def test_a_wrong_clock_is_corrected_in_every_stamp(ahead: float) -> None:
    told = Told(ahead)
    assert told.intake.clock.wrong
    told.wall += 10
    assert told.told(NOW + 10 + ahead, switch_0={"output": True}).ts == pytest.approx(NOW + 10, abs=1.0)
    assert told.intake.last_reading_ts == pytest.approx(NOW + 10, abs=1.0)
    update = told.happened(NOW + 9 + ahead)
    assert len(update.events) == 1
    assert told.happened(NOW + 9 + ahead - 2 * EVENT_AGE_S, "double_push").events == ()


def test_a_clock_a_few_seconds_off_is_left_alone() -> None:
    told = Told(ahead=3.0)
    assert not told.intake.clock.wrong
    told.wall += 10
    assert told.told(NOW + 13, switch_0={"output": True}).ts == NOW + 13


def test_a_device_that_counts_from_its_boot_until_it_has_the_time() -> None:
    told = Told(ahead=None)
    assert told.intake.clock.wrong
    told.wall += 10
    update = told.told(17.5, switch_0={"output": True})
    assert update.changed == {"switch:0"}
    assert update.ts == pytest.approx(NOW + 10, abs=1.0)
    # It reaches a time server.
    told.wall += 10
    assert told.told(NOW + 20, switch_0={"output": False}).ts == NOW + 20
    assert not told.intake.clock.wrong
    assert told.intake.clock.steps == 1
    assert told.intake.missed


def test_a_clock_that_falls_back_to_1970_silences_nothing() -> None:
    told = Told()
    told.told(NOW + 1, switch_0={"output": True})
    told.wall += 60
    update = told.told(3.0, switch_0={"output": False})
    assert update.changed == {"switch:0"}
    assert update.ts == NOW + 60
    assert told.intake.drops == {}
    assert told.intake.missed


def test_a_clock_put_back_is_found_out_by_the_next_status() -> None:
    told = Told()
    told.told(NOW + 1, switch_0={"output": True})
    told.wall += 10
    assert told.told(NOW - 3590, switch_0={"output": False}).changed == set()
    assert (told.intake.drops, told.intake.missed) == ({OVERTAKEN: 1}, True)
    told.ahead = -3600.0
    update = told.answer()
    assert update is not None
    assert update.ts == pytest.approx(NOW + 10, abs=1.0)
    told.wall += 1
    update = told.told(NOW - 3589, switch_0={"output": True})
    assert (update.changed, told.output) == (frozenset({"switch:0"}), True)
    assert update.ts == pytest.approx(NOW + 11, abs=1.0)


def test_a_clock_put_forward_is_followed_at_once() -> None:
    told = Told()
    told.wall += 10
    assert told.told(NOW + 3610, switch_0={"output": True}).ts == pytest.approx(NOW + 10)
    assert told.intake.missed
    told.wall += 1
    assert told.told(NOW + 3611, switch_0={"output": False}).ts == pytest.approx(NOW + 11)
    assert told.intake.drops == {}


def test_one_frame_with_a_mad_stamp_does_not_silence_what_follows_the_next_status() -> None:
    told = Told()
    told.told(NOW + 1e6, switch_0={"output": True})
    assert told.intake.missed
    told.wall += 1
    told.answer("Sys.GetStatus", {"unixtime": int(NOW + 1)})
    assert told.told(NOW + 1, switch_0={"output": False}).ts == NOW + 1
    assert told.output is False


def test_events_pass_once_while_they_are_fresh() -> None:
    told = Told()
    told.wall += 100
    assert len(told.happened(NOW + 99).events) == 1
    assert told.happened(NOW + 99).events == ()
    assert told.happened(NOW + 98).events == ()
    assert told.happened(NOW + 99.9 - EVENT_AGE_S, "double_push").events == ()
    assert len(told.happened(NOW + 100 - EVENT_AGE_S, "triple_push").events) == 1
    assert len(told.happened(None, "long_push").events) == 1
    assert told.intake.drops == {REPEATED: 1, OVERTAKEN: 1, STALE: 1}
    assert not told.intake.missed, "a status does not tell what happened"
    assert told.intake.last_reading_at == 0.0, "an event is no reading"


def test_the_record_of_a_minute_is_never_too_old_nor_too_late() -> None:
    told = Told()
    told.wall += 86_400
    for ts in (NOW, NOW, NOW - 60):
        assert [event.ts for event in told.happened(ts, "data", "emdata:0").events] == [ts]
    assert told.intake.drops == {}


def test_what_another_device_says_is_refused() -> None:
    told = Told()
    with pytest.raises(FrameError, match="another device"):
        told.told(NOW + 1e6, source="shellypro3-000000000001", switch_0={"output": True})
    assert told.output is False
    assert told.intake.clock.offset_s == 0.0
    with pytest.raises(DeviceMismatchError) as caught:
        told.intake.vet(reply("shellypro3-000000000001", "Shelly.GetStatus"))
    assert (caught.value.expected, caught.value.found) == (ID, "shellypro3-000000000001")
    told.intake.vet(reply(ID, "Shelly.GetStatus"))
    told.intake.vet(reply("shellypro3-000000000001", "Shelly.GetDeviceInfo"))


def reply(source: str, method: str) -> Reply:
    return Reply(Request(1, method, None, b"", 0.0), source, {}, None)


def test_before_a_device_is_known_nothing_is_taken() -> None:
    intake = Intake()
    assert not intake.ready
    with pytest.raises(FrameError, match="not known yet"):
        intake.take_notification(Notification(ID, NotificationMethod.STATUS, NOW, {}), Transport.MQTT, 0.0, NOW)
    intake.vet(reply(ID, "Shelly.GetStatus"))
    answer = Answer(Request(1, "Shelly.GetStatus", None, b"", 0.0), {}, ID, NOW, NOW)
    assert intake.take_answer(answer, Transport.MQTT, 0.0) is None


@pytest.mark.parametrize("method", ["Shelly.GetConfig", "Switch.Set", "EM.GetStatus", "Shelly.GetDeviceInfo"])
def test_answers_that_are_no_status_pass_by(method: str) -> None:
    assert Told().answer(method, {"output": True}, id=0) is None


def test_the_status_of_a_component_is_taken() -> None:
    told = Told()
    told.wall += 1
    update = told.answer("Switch.GetStatus", {"id": 0, "output": True}, id=0)
    output = {"switch:0": {"id": 0, "output": True}}
    assert update == Update(
        frozenset({"switch:0"}), (), Transport.HTTP, full=False, ts=NOW + 1, told=output, asked=True, stamp=NOW + 1
    )
    update = told.answer("Sys.GetStatus", {"uptime": 5, "unixtime": int(NOW + 1)})
    assert update is not None
    assert (update.changed, update.full) == (frozenset({"sys"}), False)
    assert told.answer("Switch.GetStatus", {"id": 0, "output": 5}, id=0) is not None
    assert told.intake.rejects == {"wrong type": 1}
    with pytest.raises(FrameError, match="no status"):
        told.answer(result=[])


def test_another_device_in_its_place_is_another_object_with_another_clock() -> None:
    told = Told(ahead=3600.0)
    device = told.intake.device
    info = DeviceInfo.parse(fixture(NAME, "Shelly.GetDeviceInfo"))
    assert told.intake.meet(info._replace(name="Cellar")) is device
    assert device is not None
    assert device.info.name == "Cellar"
    assert told.intake.clock.wrong
    assert told.intake.meet(info._replace(mac="000000000001")) is not device
    assert not told.intake.clock.wrong
    assert not told.intake.ready


def test_what_makes_no_sense_is_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    caplog.set_level(logging.DEBUG)
    for output in (1, 2, 2):
        told.told(None, switch_0={"output": output, "source": None}, switch_1=5)
    told.intake.reject_frame(FrameError("not JSON"), Transport.MQTT, b"{" * 1000)
    assert told.intake.rejects == {"wrong type": 6, "not JSON": 1}
    assert told.intake.drops == {}
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [
        "Left out switch:0, since output is wrong type: 1",
        "Left out switch:1, since it is wrong type: 5",
    ]
    assert len(caplog.records) == 7
    assert all(len(record.getMessage()) < 400 for record in caplog.records)
