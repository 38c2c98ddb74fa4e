"""`--check`: Home Assistant and InfluxDB against the simulator's ledger, without a person."""

import json
from typing import TYPE_CHECKING, Any

from tests.demo.export import ARRIVAL_S, compare_export
from tests.demo.printing import say, table
from tests.stack.comparison import compare_values, fields_without_entity, switch_relays
from tests.stack.processes import wait_until

if TYPE_CHECKING:
    from tests.demo.export import Export
    from tests.stack.comparison import Comparison, Switching
    from tests.stack.fleet import Fleet
    from tests.stack.stage import Household
    from tests.stack.stored import Stored

TRIED_S = 30.0


async def check(household: Household, export: Export) -> bool:
    """Compare, switch, print what was compared, and return whether everything agrees."""
    problems = [*await _check_home_assistant(household), *await check_export(household.fleet, export)]
    for problem in problems:
        say(f"  WRONG  {problem}")
    return not problems


async def _check_home_assistant(household: Household) -> list[str]:
    """Print the comparison with Home Assistant and return what is wrong."""
    values = await compare_values(household)
    missing = await fields_without_entity(household)
    relays = await switch_relays(household)
    after = await compare_values(household)
    ways = await ways_to_devices(household)
    complaints = household.home_assistant.complaints("shelly_pro")
    say("\nEvery entity against what its device reported:")
    say(table(["device", "component and field", "Home Assistant", "device", ""], [_value_row(v) for v in values]))
    say("\nRelays, both ways and from both sides:")
    say(table(["device", "relay", "switched", "seconds", ""], [_relay_row(r) for r in relays]))
    say("\nThe way to each device, by /api/shelly_pro/health:")
    say(table(["device", "status", "active link", "MQTT answers in", "HTTP answers in"], [_way_row(w) for w in ways]))
    problems = [
        *(
            f"{v.entity_id}: Home Assistant shows {v.shown}, the device reported {v.reported}"
            for v in (*values, *after)
            if not v.agrees
        ),
        *(f"{r.device} {r.relay} {r.order}: {r.problem}" for r in relays if not r.agrees),
        *(f"{way['title']} is {way['status']}: {way['reason']}" for way in ways if way["status"] != "ok"),
        *(f"{field} is measured and has no entity" for field in missing),
        *(f"Home Assistant's log: {complaint}" for complaint in complaints),
    ]
    if not values or not relays:
        problems.append("There was nothing to compare: no entity or no relay was set up")
    agreeing = sum(value.agrees for value in values)
    switched = sum(relay.agrees for relay in relays)
    say(f"\n{agreeing} of {len(values)} entities agree, {switched} of {len(relays)} switchings came out as ordered.")
    return problems


async def check_export(fleet: Fleet, export: Export, *, arrival_s: float = ARRIVAL_S) -> list[str]:
    """Print the comparison with InfluxDB and return what is wrong."""
    found = await compare_export(fleet, export, arrival_s=arrival_s)
    health = await export.exporter.health()
    say("\nEvery point in InfluxDB against what its device told while all this was going on:")
    header = ["device", "points that agree", "lost", "different", "told by nobody", ""]
    say(table(header, [_stored_row(device, stored) for device, stored in found.items()]))
    points = sum(stored.points for stored in found.values())
    say(f"\n{points} points agree, {sum(stored.agrees for stored in found.values())} of {len(found)} devices do.")
    return [
        *(f"{device} in InfluxDB: {stored}" for device, stored in found.items() if not stored.agrees),
        *(
            f"The exporter's {hop['name']} is {hop['level']}: {hop['reason']}"
            for hop in health["hops"]
            if hop["reason"]
        ),
    ]


async def ways_to_devices(household: Household) -> list[dict[str, Any]]:
    """Return how each device is, once both roads to it have been tried."""
    ways: list[dict[str, Any]] = []

    async def tried() -> bool:
        nonlocal ways
        _, text, _ = await household.client.get("/api/shelly_pro/health")
        ways = json.loads(text)["devices"]
        return all(link["round_trip_s"] is not None for way in ways for link in way["links"].values())

    await wait_until(tried, TRIED_S, "Home Assistant has tried both roads to each device")
    return ways


def _way_row(way: dict[str, Any]) -> list[str]:
    trips = [way["links"].get(link, {}).get("round_trip_s") for link in ("mqtt", "http")]
    return [way["title"], way["status"], way["active"], *("-" if s is None else f"{s * 1000:.0f} ms" for s in trips)]


def _value_row(value: Comparison) -> list[str]:
    return [value.device, value.name, value.shown, value.reported, "agrees" if value.agrees else "DIFFERS"]


def _stored_row(device: str, stored: Stored) -> list[str]:
    counts = (stored.points, len(stored.lost), len(stored.different), len(stored.extra))
    return [device, *map(str, counts), "agrees" if stored.agrees else "DIFFERS"]


def _relay_row(relay: Switching) -> list[str]:
    seconds = "" if relay.seconds is None else f"{relay.seconds:.3f}"
    return [relay.device, relay.relay, relay.order, seconds, "agrees" if relay.agrees else "DIFFERS"]
