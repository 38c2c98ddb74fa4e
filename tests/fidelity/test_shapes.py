"""Every answer and notification has the form of the real device: keys, order, types, decimals, blanks."""

import pytest

from tests.fidelity import shapes
from tests.fidelity.devices import Bench, bench
from tests.fidelity.skeleton import skeleton
from tests.simulator import wire

EVERYTHING = [(model, release) for model in shapes.MODELS for release in shapes.RELEASES]


def answer(found: Bench, method: str) -> str:
    return skeleton(wire.dumps(found.call(method)))


@pytest.mark.parametrize(("model", "release"), EVERYTHING)
def test_device_info(model: str, release: str) -> None:
    assert answer(bench(model, release), "Shelly.GetDeviceInfo") == shapes.info(model, release)


@pytest.mark.parametrize(("model", "release"), EVERYTHING)
def test_status(model: str, release: str) -> None:
    expected = shapes.whole(shapes.STATUS, model, release)
    if release == "2.0":
        expected = expected.replace('"available_updates":{"stable":{"version":""}}', '"available_updates":{}')
    assert answer(bench(model, release), "Shelly.GetStatus") == expected


@pytest.mark.parametrize(("model", "release"), EVERYTHING)
def test_config(model: str, release: str) -> None:
    assert answer(bench(model, release), "Shelly.GetConfig") == shapes.whole(shapes.CONFIG, model, release)


@pytest.mark.parametrize("release", shapes.RELEASES)
def test_notifications_of_a_triphase_meter(release: str) -> None:
    found = bench("pro3em", release)
    found.run(70)
    assert set(map(skeleton, found.texts("NotifyStatus", "em:0"))) == {shapes.EM_NOTIFICATION}
    assert [skeleton(text) for text in found.texts("NotifyStatus", "emdata:0")] == [shapes.EMDATA_NOTIFICATION]
    event = shapes.DATA_EVENT.replace("{row}", shapes.EM_ROW)
    assert [skeleton(text) for text in found.texts("NotifyEvent", "data")] == [event]


@pytest.mark.parametrize("release", shapes.RELEASES)
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_notifications_of_a_monophase_meter(release: str, channel: int) -> None:
    found = bench("pro3em-mono", release)
    found.run(70)
    live = shapes.EM1_NOTIFICATION.replace("{n}", str(channel))
    assert set(map(skeleton, found.texts("NotifyStatus", f"em1:{channel}"))) == {live}
    energy = shapes.EM1DATA_NOTIFICATION.replace("{n}", str(channel))
    assert [skeleton(text) for text in found.texts("NotifyStatus", f"em1data:{channel}")] == [energy]
    event = shapes.DATA_EVENT.replace("{row}", shapes.EM1_ROW)
    assert [skeleton(text) for text in found.texts("NotifyEvent", "data")] == [event] * 3


@pytest.mark.parametrize(("release", "with_id"), [("1.1", True), ("1.4", True), ("1.7", False), ("2.0", False)])
def test_switch_delta_carries_an_id_until_1_7(release: str, *, with_id: bool) -> None:
    found = bench("pro3", release)
    found.call("Switch.Set", id=1, on=True)
    text = '{"ts":0.00,"switch:1":{"output":true,"source":""}}'
    expected = text.replace('{"output"', '{"id":0,"output"') if with_id else text
    assert [skeleton(text) for text in found.texts("NotifyStatus", "switch:1")] == [expected]


def test_full_status_is_the_status_after_a_timestamp() -> None:
    found = bench("pro3em", "1.4")
    expected = '{"ts":0.00,' + shapes.whole(shapes.STATUS, "pro3em", "1.4")[1:]
    assert skeleton(wire.dumps(found.device.full_status_params())) == expected


def test_events_of_configuration_front_button_and_input() -> None:
    found = bench("pro3", "1.4")
    found.call("Input.SetConfig", id=0, config={"type": "button"})
    assert [skeleton(text) for text in found.texts("NotifyEvent", "config_changed")] == [shapes.CONFIG_EVENT]
    assert [skeleton(text) for text in found.texts("NotifyStatus", "sys")] == ['{"ts":0.00,"sys":{"cfg_rev":0}}']
    found.device.press_input(0, "single_push")
    found.device.switchboard.press_front_button()
    found.run(1)
    assert [skeleton(text) for text in found.texts("NotifyEvent", "single_push")] == [shapes.INPUT_EVENT]
    for name in ("sys_btn_down", "sys_btn_up", "sys_btn_push"):
        assert [skeleton(text) for text in found.texts("NotifyEvent", name)] == [shapes.SYS_EVENT]


def test_factory_release_of_the_400_a_model() -> None:
    found = bench("pro3em400", "0.14.2")
    expected = shapes.INFO_START.replace('"slot":0,', "") + "}"
    assert answer(found, "Shelly.GetDeviceInfo") == expected
    assert found.device.info()["ver"] == "0.14.2-pro3em400prod0"
    assert "a_freq" not in found.call("EM.GetStatus", id=0)
