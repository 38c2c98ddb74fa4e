"""A planner, the parser and a simulated meter: after any hole all minutes are there, each once."""

from typing import Any

import orjson
import pytest

from shelly_core.records import parse_data, parse_records
from shelly_exporter.history.backfill import Backfill
from tests.fidelity.devices import Bench, bench
from tests.simulator import wire


def ask(found: Bench, method: str, **params: Any) -> Any:
    return orjson.loads(wire.dumps(found.call(method, **params)))


@pytest.mark.parametrize(("model", "space", "number"), [("pro3em", "EMData", 0), ("pro3em-mono", "EM1Data", 2)])
@pytest.mark.parametrize("with_blocks", [False, True])
def test_a_hole_is_filled(model: str, space: str, number: int, *, with_blocks: bool) -> None:
    found = bench(model)
    meter = found.device.meter
    assert meter is not None
    backfill = Backfill()
    backfill.contact(found.clock.now())
    found.run(300)
    stored = [record.ts for record in meter.records]
    for ts in stored:
        backfill.stored(ts)
    found.run(1200)  # the link is down
    found.device.power_off()
    found.clock.move(7200)
    found.device.boot()
    found.run(1240)
    if with_blocks:
        backfill.available(parse_records(ask(found, f"{space}.GetRecords", id=number)))
    calls = 0
    while (window := backfill.next_window(found.clock.now())) is not None:
        answer = ask(found, f"{space}.GetData", id=number, ts=window.start, end_ts=window.end - 1)
        records, next_ts = parse_data(answer)
        assert all(record.values and not record.rejections for record in records)
        stored += [record.ts for record in records]
        backfill.fetched(window, records, next_ts)
        calls += 1
    assert stored == [record.ts for record in meter.records]
    assert calls <= (8 if with_blocks else 10), "20 minutes on each side of the power cut, six at a time"
