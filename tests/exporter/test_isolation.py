import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter.sender.isolation import Cause, Rejected, deliver
from shelly_exporter.targets import Refused
from tests.exporter.memory_store import MemoryStore
from tests.exporter.mixed_lines import OLDEST, lines


@given(lines, st.booleans(), st.booleans())
async def test_everything_good_is_stored_and_everything_else_returned(
    texts: list[str], partial: bool, mute: bool
) -> None:
    store = MemoryStore(oldest=OLDEST, partial=partial, mute=mute)
    store.types = {("em", "x"): "integer", ("em", "y"): "float"}
    batch = [text.encode() for text in texts]
    rejected = await deliver(store.write, batch)

    expected = MemoryStore(oldest=OLDEST)
    expected.types = dict(store.types)
    bad: list[bytes] = []
    for line in batch:
        # A field of another type does not take its line along, unless the store keeps the reason for itself.
        for part in (line,) if mute else _without_conflict(line):
            try:
                await expected.write(part)
            except Refused:
                bad.append(part)
    assert store.points == expected.points
    assert sorted(line for _, _, line in rejected) == sorted(bad)


def _without_conflict(line: bytes) -> tuple[bytes, ...]:
    if b".5,y=1.5 " not in line:
        return (line,)
    key, fields, time = line.split(b" ")
    wrong, right = fields.split(b",")
    return b" ".join((key, right, time)), b" ".join((key, wrong, time))


def store_of_integers() -> MemoryStore:
    store = MemoryStore(oldest=OLDEST)
    store.types = {("em", "x"): "integer", ("em", "z"): "integer"}
    return store


async def test_a_good_batch_is_written_once() -> None:
    store = store_of_integers()
    assert await deliver(store.write, [b"em x=1i 100", b"em x=2i 101"]) == []
    assert store.writes == 1


async def test_a_field_of_another_type_costs_one_more_write_however_many_lines_have_it() -> None:
    store = store_of_integers()
    batch = [f"em x={number}.5,y=1.5 {OLDEST + number}".encode() for number in range(1000)]
    rejected = await deliver(store.write, batch)
    assert store.writes == 2
    assert len(store.points) == 1000
    (grave,) = {(cause, reason) for cause, reason, _ in rejected}
    assert grave[0] is Cause.CONFLICT
    assert 'input field "x" on measurement "em" is type float, already exists as type integer' in grave[1]
    assert rejected[7].line == b"em x=7.5 107"


async def test_old_lines_cost_one_more_write_however_many_there_are() -> None:
    store = store_of_integers()
    batch = [f"em y=1.5 {number}".encode() for number in range(1000)]
    rejected = await deliver(store.write, batch)
    assert store.writes == 2
    assert len(store.points) == 900
    assert [line for _, _, line in rejected] == batch[:OLDEST]
    assert {cause for cause, _, _ in rejected} == {Cause.RETENTION}


async def test_lines_that_make_no_sense_cost_one_more_write() -> None:
    store = store_of_integers()
    batch = [b"em y=1.5 100", b"garbage", b"em y= 5", b"em y=2.5 101"]
    rejected = await deliver(store.write, batch)
    assert store.writes == 2
    assert rejected == [
        Rejected(Cause.UNPARSABLE, "unable to parse: invalid field format", b"garbage"),
        Rejected(Cause.UNPARSABLE, "unable to parse: invalid field format", b"em y= 5"),
    ]
    assert len(store.points) == 2


async def test_two_fields_in_conflict_are_found_one_after_the_other() -> None:
    store = store_of_integers()
    rejected = await deliver(store.write, [b"em x=1.5,z=2.5,y=3.5 100", b"em x=1i,z=2i,y=1.5 101"])
    assert sorted(line for _, _, line in rejected) == [b"em x=1.5 100", b"em z=2.5 100"]
    assert store.points == {
        (b"em", 100): {"y": b"3.5"},
        (b"em", 101): {"x": b"1i", "z": b"2i", "y": b"1.5"},
    }


@pytest.mark.parametrize("extra", [b"", b",y=1.5"])
async def test_a_type_that_is_right_on_other_days_is_kept_there(extra: bytes) -> None:
    """InfluxDB holds types per shard."""
    store = MemoryStore()
    tried: list[bytes] = []

    async def write(body: bytes) -> None:
        bad = [line for line in body.split(b"\n") if b"x=" in line and line.endswith(b" 1")]
        tried.append(body)
        for line in body.split(b"\n"):
            if line not in bad:
                await store.write(line)
        if bad:
            said = 'input field "x" on measurement "em" is type float, already exists as type integer'
            raise Refused(f"partial write: field type conflict: {said} dropped={len(bad)}")

    batch = [b"em,d=%d x=%d.5%b %d" % (number, number, extra, number == 5) for number in range(8)]
    rejected = await deliver(write, batch)
    assert [line for _, _, line in rejected] == [b"em,d=5 x=5.5 1"]
    assert len([point for point in store.points.values() if "x" in point]) == 7
    assert len([point for point in store.points.values() if "y" in point]) == (8 if extra else 0)
