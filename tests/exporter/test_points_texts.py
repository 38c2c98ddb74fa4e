"""Whatever texts, names and keys a device tells: no line breaks, and no field is another's."""

import pytest

from shelly_exporter.points import MAX_TEXT, ComponentLines, component_lines, escaped
from tests.core.payloads import fixture
from tests.exporter.component_points import DEVICE, METER, made, read


@pytest.mark.parametrize(
    "text", ['say "on"', "a,b=c d", "two\nlines\r\nmore", "back\\slash\\", '\\"', "", "Küche 🔌", "{ts}{origin}%s%%"]
)
def test_text_of_any_kind_stays_in_its_field(text: str) -> None:
    (point,) = read(component_lines(DEVICE, "switch:0"), {"output": True, "source": text})
    assert point.fields["source"] == text.replace("\n", " ").replace("\r", " ")
    assert point.fields["output"] is True


def test_text_is_cut() -> None:
    (point,) = read(component_lines(DEVICE, "switch:0"), {"source": '"' * 1000, "errors": ["x"] * 1000})
    assert point.fields["source"] == '"' * MAX_TEXT
    assert len(point.fields["errors"]) == MAX_TEXT


@pytest.mark.parametrize("name", ["a,b=c d", "per%cent", "%s%(x)d", "ü", "x" * 300, "line\nfeed"])
def test_any_name_of_a_device_is_a_tag(name: str) -> None:
    lines = ComponentLines(name, "em", "0")
    told = fixture(METER, "Shelly.GetStatus")["em:0"]
    for _ in range(2):
        assert {point.tags["device"] for point in read(lines, told)} == {name[:MAX_TEXT].replace("\n", " ")}


def test_an_empty_tag_is_told_from_a_missing_one() -> None:
    assert escaped("") == "-"


@pytest.mark.parametrize(
    "key", ["em", "em:", "em:x", "em:٣", "em:00000", "sys:0", "switch", "wifi:1", "", ":", "script:1"]
)
def test_what_the_core_has_not_looked_at_makes_no_line(key: str) -> None:
    evil = "1 1\nevil,device=x"
    told = {"a_voltage": evil, "total_act": evil, "uptime": evil, "temperature": 5, "rssi": evil, "output": evil}
    assert made(component_lines(DEVICE, key), told) == []
