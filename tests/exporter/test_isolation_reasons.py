"""Lines that a store refuses, found by what it says, or in general."""

import pytest

from shelly_exporter.sender.isolation import REASON_LENGTH, Cause, Rejected, deliver
from shelly_exporter.targets import Refused, Unavailable
from tests.exporter.memory_store import MemoryStore
from tests.exporter.mixed_lines import OLDEST


async def test_what_is_only_said_in_general_is_found_by_halves() -> None:
    store = MemoryStore(oldest=OLDEST, mute=True, partial=False)
    batch = [f"em x=1 {OLDEST + number}".encode() for number in range(1000)]
    batch[700] = b"em x=1 1"
    rejected = await deliver(store.write, batch)
    assert rejected == [Rejected(Cause.REFUSED, "no", b"em x=1 1")]
    assert len(store.points) == 999
    assert store.writes <= 2 * 11


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("partial write: max-series-per-database limit exceeded: (5) dropped=1", Cause.REFUSED),
        ("dropped points outside retention policy of duration 60d", Cause.RETENTION),
        ("partial write: points beyond retention policy dropped=0", Cause.RETENTION),
        ("invalid column type for column 'q', expected iox::column_type::field::integer, got x::float", Cause.CONFLICT),
        ("unable to parse 'another line': bad timestamp", Cause.UNPARSABLE),
    ],
)
async def test_a_line_is_refused_for_whatever_is_said(reason: str, cause: Cause) -> None:
    async def write(_: bytes) -> None:
        raise Refused(reason)

    assert await deliver(write, [b"em x=1 5"]) == [Rejected(cause, reason, b"em x=1 5")]


async def test_influxdb_3_names_the_column() -> None:
    store = MemoryStore()

    async def write(body: bytes) -> None:
        if b"x=1.5" in body:
            what = "invalid column type for column 'x', expected iox::column_type::field::integer, got "
            raise Refused(f"partial write of line protocol occurred; {what}iox::column_type::field::float")
        await store.write(body)

    rejected = await deliver(write, [b"em x=1.5,y=2 5", b"em x=7i 6"])
    assert [line for _, _, line in rejected] == [b"em x=1.5 5"]
    assert store.points == {(b"em", 5): {"y": b"2"}, (b"em", 6): {"x": b"7i"}}


async def test_influxdb_2_counts_old_points_in_other_words() -> None:
    store = MemoryStore()

    async def write(body: bytes) -> None:
        if body.endswith(b" 1"):
            raise Refused("partial write: dropped 1 points outside retention policy of duration 1440h0m0s - oldest …")
        await store.write(body)

    rejected = await deliver(write, [b"em x=2 500", b"em x=3 1"])
    assert [(cause, line) for cause, _, line in rejected] == [(Cause.RETENTION, b"em x=3 1")]
    assert list(store.points) == [(b"em", 500)]


async def test_a_long_reason_is_cut() -> None:
    async def write(_: bytes) -> None:
        raise Refused("x" * 5000)

    (rejected,) = await deliver(write, [b"em x=1 5"])
    assert len(rejected.reason) == REASON_LENGTH + 1


async def test_a_store_that_is_away_is_not_blamed_on_lines() -> None:
    async def write(_: bytes) -> None:
        raise Unavailable("gone")

    with pytest.raises(Unavailable):
        await deliver(write, [b"em x=1 5"])
