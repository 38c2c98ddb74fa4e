"""What hypothesis makes up: JSON of any kind, plausible statuses, and frames gone wrong."""

from typing import Any

import orjson
from hypothesis import strategies as st

from tests.core.payloads import FIXTURE_NAMES, fixture, notification_frames

FIELD_NAMES = sorted(
    {field for name in FIXTURE_NAMES for status in fixture(name, "Shelly.GetStatus").values() for field in status}
    | {"ts", "events", "component", "event", "src", "method", "params", "result", "error", "code", "message"}
    | {"apower", "aenergy", "flags", "user_calibrated_phase", "available_updates", "version", "total"}
)
KEYS = sorted(
    {key for name in FIXTURE_NAMES for key in fixture(name, "Shelly.GetStatus")} | {"script:1", "em:1", "em:x"}
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, 0.0, -0.0, 1, -1, 230.1, 1e300, "", "switch:0", "NotifyStatus", "a"]),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
names = st.one_of(st.sampled_from(FIELD_NAMES + KEYS), st.text(st.characters(codec="utf-8"), max_size=8))
any_json = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6), max_leaves=20
)

any_frames = st.sampled_from([frame for name in FIXTURE_NAMES for frame in notification_frames(name)])
any_statuses = st.sampled_from(FIXTURE_NAMES).map(lambda name: fixture(name, "Shelly.GetStatus"))


@st.composite
def mutated(draw: st.DrawFn, valid: Any) -> Any:
    """JSON in which something at a random place was replaced, removed or added."""
    if isinstance(valid, dict) and valid and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(valid)))
        changed = {**valid, key: draw(mutated(valid[key]))}
        match draw(st.integers(0, 9)):
            case 0:
                del changed[key]
            case 1:
                changed[draw(names)] = draw(any_json)
        return changed
    if isinstance(valid, list) and valid and draw(st.booleans()):
        place = draw(st.integers(0, len(valid) - 1))
        return [*valid[:place], draw(mutated(valid[place])), *valid[place + 1 :]]
    return draw(st.one_of(any_json, st.just(valid)))


mutated_frames = any_frames.map(orjson.loads).flatmap(mutated).map(orjson.dumps)


@st.composite
def damaged_frames(draw: st.DrawFn) -> bytes:
    """The bytes of a frame of which a piece was cut out, doubled or overwritten."""
    frame = draw(any_frames)
    start = draw(st.integers(0, len(frame)))
    end = draw(st.integers(start, min(len(frame), start + 20)))
    piece = draw(st.sampled_from([b"", frame[start:end] * 2]) | st.binary(max_size=8))
    return frame[:start] + piece + frame[end:]


anything = st.one_of(st.binary(max_size=200), any_json.map(orjson.dumps), mutated_frames, damaged_frames())


def numbers(low: float, high: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(low, high).map(lambda value: round(value, 3)) | st.just(0.0)


def some[KeyT](fields: dict[KeyT, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[KeyT, Any]]:
    """Any choice of the fields, in any order."""
    return st.permutations(list(fields)).flatmap(
        lambda order: st.sets(st.sampled_from(order)).flatmap(
            lambda chosen: st.fixed_dictionaries({name: fields[name] for name in order if name in chosen})
        )
    )


error_lists = st.none() | st.lists(st.sampled_from(["power_meter_failure", "out_of_range:voltage"]), max_size=2)
temperatures = st.none() | some({"tC": numbers(-20, 90), "tF": numbers(-4, 194)})

switches = some(
    {
        "id": st.just(0),
        "output": st.none() | st.booleans(),
        "source": st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
        "temperature": temperatures,
        "timer_started_at": numbers(0, 2e9),
        "timer_duration": numbers(0, 1e5),
        "errors": error_lists,
        "counts": st.none() | some({"on_time": numbers(0, 1e6), "switch_on": st.none() | st.integers(0, 1000)}),
        "unknown": any_json,
    }
)
meters = some(
    {
        "id": st.just(0),
        **{f"{phase}_voltage": numbers(0, 280) for phase in "abc"},
        **{f"{phase}_act_power": numbers(-30000, 30000) for phase in "abc"},
        "n_current": numbers(0, 120),
        "a_pf": numbers(-1, 1),
        "a_errors": error_lists,
        "errors": error_lists,
        "unknown": any_json,
    }
)
systems = some(
    {
        "mac": st.just("E868E7A1B204"),
        "unixtime": st.none() | st.integers(0, 2**32),
        "available_updates": st.none()
        | some({stage: st.none() | some({"version": st.just("2.0.1")}) for stage in ("stable", "beta")}),
        "unknown": any_json,
    }
)
statuses = some(
    {"switch:0": switches, "em:0": meters, "sys": systems, "script:1": st.dictionaries(names, any_json, max_size=4)}
)
