"""`--check`: Home Assistant against the simulator's ledger, without a person."""

from typing import TYPE_CHECKING

from tests.demo.printing import say, table
from tests.stack.comparison import compare_values, fields_without_entity, switch_relays

if TYPE_CHECKING:
    from tests.stack.comparison import Comparison, Switching
    from tests.stack.stage import Stage


async def check(stage: Stage) -> bool:
    """Compare, switch, print what was compared, and return whether everything agrees."""
    values = await compare_values(stage)
    missing = await fields_without_entity(stage)
    relays = await switch_relays(stage)
    after = await compare_values(stage)
    complaints = stage.home_assistant.complaints("shelly_pro")
    say("\nEvery entity against what its device reported:")
    say(table(["device", "component and field", "Home Assistant", "device", ""], [_value_row(v) for v in values]))
    say("\nRelays, both ways and from both sides:")
    say(table(["device", "relay", "switched", "seconds", ""], [_relay_row(r) for r in relays]))
    problems = [
        *(
            f"{v.entity_id}: Home Assistant shows {v.shown}, the device reported {v.reported}"
            for v in (*values, *after)
            if not v.agrees
        ),
        *(f"{r.device} {r.relay} {r.order}: {r.problem}" for r in relays if not r.agrees),
        *(f"{field} is measured and has no entity" for field in missing),
        *(f"Home Assistant's log: {complaint}" for complaint in complaints),
    ]
    if not values or not relays:
        problems.append("There was nothing to compare: no entity or no relay was set up")
    agreeing = sum(value.agrees for value in values)
    switched = sum(relay.agrees for relay in relays)
    say(f"\n{agreeing} of {len(values)} entities agree, {switched} of {len(relays)} switchings came out as ordered.")
    for problem in problems:
        say(f"  WRONG  {problem}")
    return not problems


def _value_row(value: Comparison) -> list[str]:
    return [value.device, value.name, value.shown, value.reported, "agrees" if value.agrees else "DIFFERS"]


def _relay_row(relay: Switching) -> list[str]:
    seconds = "" if relay.seconds is None else f"{relay.seconds:.3f}"
    return [relay.device, relay.relay, relay.order, seconds, "agrees" if relay.agrees else "DIFFERS"]
