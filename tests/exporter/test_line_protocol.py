import pytest

from shelly_exporter.line_protocol import bucket_of, by_bucket, measurement_of, split_field, time_of
from shelly_exporter.settings import Target


@pytest.mark.parametrize(
    ("line", "measurement"),
    [
        (b"em,device=a x=1 1", "em"),
        (b"em x=1 1", "em"),
        (b"odd\\ name\\,x,device=a x=1 1", "odd name,x"),
        (b",device=a x=1", ""),
    ],
)
def test_measurement(line: bytes, measurement: str) -> None:
    assert measurement_of(line) == measurement


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("1", "float"),
        ("-1.5e3", "float"),
        ("12i", "integer"),
        ("-12i", "integer"),
        ("12u", "unsigned"),
        ("t", "boolean"),
        ("False", "boolean"),
        ('"12i"', "string"),
    ],
)
def test_a_field_is_split_off_by_its_type(value: str, kind: str) -> None:
    line = f"m x={value},y=1 5".encode()
    assert split_field(line, "x", kind).rest == b"m y=1 5"
    for other in {"float", "integer", "unsigned", "boolean", "string"} - {kind}:
        assert split_field(line, "x", other) == (line, None)


def test_a_name_with_escapes_is_found_by_what_it_means() -> None:
    assert split_field(b"m a\\ b=1,c=2 5", "a b") == (b"m c=2 5", b"m a\\ b=1 5")


def test_a_line_without_time_stays_without() -> None:
    assert time_of(b"m x=1") is None
    assert split_field(b"m x=1,y=2", "y") == (b"m x=1", b"m y=2")


def test_rollups_have_a_bucket_of_their_own() -> None:
    settings = Target(bucket="raw", rollup_bucket="rollups")
    assert bucket_of(b"energy_1h,device=a import_kwh=1 5", settings) == "rollups"
    assert bucket_of(b"energy_1d,device=a import_kwh=1 5", settings) == "rollups"
    assert bucket_of(b"energy_1w,device=a import_kwh=1 5", settings) == "raw"
    body = b'em x=1 1\nenergy_1h x=1 2\nem s="energy_1h" 3\nenergy_1d x=2 4'
    assert by_bucket(body, settings) == {
        "raw": [b"em x=1 1", b'em s="energy_1h" 3'],
        "rollups": [b"energy_1h x=1 2", b"energy_1d x=2 4"],
    }
    assert by_bucket(b"em x=1 1\nem x=2 2", settings) == {"raw": [b"em x=1 1", b"em x=2 2"]}
    assert by_bucket(b"energy_1h x=1 2", Target(bucket="one", rollup_bucket="one")) == {"one": [b"energy_1h x=1 2"]}
