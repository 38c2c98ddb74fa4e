"""When a device's own reports are late, missing, or still coming."""

import pytest

from shelly_core.policy import Policy
from shelly_core.reports import Reports


def reports_every(cadence_s: float | None, *, meter: bool = True) -> Reports:
    """Reports up to time 0, as often as that; `None` is a single one."""
    reports = Reports(Policy())
    reports.meter = meter
    for number in range(30 if cadence_s is not None else 0, -1, -1):
        reports.note(-number * (cadence_s or 0.0), learn_since=-1e9)
    return reports


@pytest.mark.parametrize(
    ("cadence_s", "go_on_s"),
    [(1.0, 2.5), (4.0, 10.0), (8.0, 20.0), (10.0, 25.0), (None, 20.0)],
)
def test_a_meter_goes_on_until_a_report_is_overdue(cadence_s: float | None, go_on_s: float) -> None:
    reports = reports_every(cadence_s)
    assert reports.go_on(0.0) is True
    assert reports.go_on(go_on_s - 0.01) is True
    # At the very moment of silence it does not: or one would wait for what has just been given up.
    assert reports.go_on(go_on_s) is False


def test_a_relay_reports_when_something_happens_and_what_never_reported_does_not_go_on() -> None:
    assert reports_every(1.0, meter=False).go_on(0.0) is False
    never = Reports(Policy())
    never.meter = True
    assert never.go_on(0.0) is False


@pytest.mark.parametrize(("meter", "silence_s"), [(True, 20.0), (False, 60.0)])
def test_the_first_report_after_a_silence(meter: bool, silence_s: float) -> None:
    reports = Reports(Policy())
    reports.meter = meter
    assert reports.silent(0.0)
    reports.note(0.0, learn_since=1e9)
    assert not reports.silent(silence_s)
    reports.note(silence_s, learn_since=1e9)
    assert reports.silent(2 * silence_s + 0.1)
    assert reports.cadence_s is None


def test_an_interval_that_began_too_early_teaches_nothing() -> None:
    reports = reports_every(1.0)
    reports.note(3600.0, learn_since=1800.0)
    assert reports.cadence_s == pytest.approx(1.0)
    reports.note(3611.0, learn_since=3600.0)
    assert reports.cadence_s == pytest.approx(3.0)


def test_a_report_clears_what_was_missed() -> None:
    reports = reports_every(1.0)
    reports.missed = 2
    reports.note(1.0, learn_since=1e9)
    assert reports.missed == 0
