"""The states of a rule from one evaluation to the next: Normal, Pending, Alerting, NoData, Error (`ngalert/state`)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from tests.stack.grafana_queries import UnsupportedError
from tests.stack.grafana_queries.alert_rule import Found, Labels, Rule, find
from tests.stack.grafana_queries.variables import Sources


class State(StrEnum):
    """How one series of a rule is."""

    NORMAL = "Normal"
    PENDING = "Pending"
    ALERTING = "Alerting"
    NO_DATA = "NoData"
    ERROR = "Error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One series of a rule: its state since when, when it was seen last, and the numbers it has."""

    state: State
    since: float
    seen: float
    values: Mapping[str, float | None]


class Alerting:
    """Evaluates one rule; `instances` are its series, by their labels. The rule's own labels are not among them."""

    def __init__(self, rule: Rule, sources: Sources) -> None:
        self.rule = rule
        self.instances: dict[Labels, Instance] = {}
        self.found: Found | None = None
        """What the last evaluation has found."""
        self._sources = sources

    def states(self) -> dict[Labels, State]:
        """Return the state of every series."""
        return {labels: instance.state for labels, instance in self.instances.items()}

    def firing(self) -> dict[Labels, Mapping[str, float | None]]:
        """Return the numbers of the series that are alerting."""
        return {labels: each.values for labels, each in self.instances.items() if each.state is State.ALERTING}

    async def evaluate(self, now: float) -> dict[Labels, State]:
        """Evaluate once, at a time in Unix seconds, and return the state of every series."""
        self.found = found = await find(self.rule, self._sources, now)
        if found.error is not None:
            self._all(self.rule.error, State.ERROR, now)
        elif all(value is None for value in found.condition.values()):
            self._all(self.rule.no_data, State.NO_DATA, now, tuple(found.condition))
        else:
            for labels, value in found.condition.items():
                wanted = self._wanted(labels, value)
                values = {name: numbers.get(labels) for name, numbers in found.values.items()}
                self._set(labels, wanted, now, values)
        self._forget(now)
        return self.states()

    async def run(self, begin: float, end: float) -> dict[Labels, State]:
        """Evaluate as often as the rule's group does, from a time to another; returns the last states."""
        now = begin
        while now <= end:
            await self.evaluate(now)
            now += self.rule.interval_s
        return self.states()

    def _wanted(self, labels: Labels, value: float | None) -> State:
        if value is None:
            return self._meant(self.rule.no_data, State.NO_DATA, labels)
        return State.ALERTING if value else State.NORMAL

    def _all(self, policy: str, itself: State, now: float, found: tuple[Labels, ...] = ()) -> None:
        """No series has a number: what is known gets the state that the rule says, else one is made."""
        if policy == itself:
            # It is an alert of its own; what was known stays until it is missing for long enough.
            chosen = found or ((("alertname", f"Datasource{itself}"),),)
        else:
            chosen = tuple(self.instances) or found or ((),)
        for labels in chosen:
            self._set(labels, self._meant(policy, itself, labels), now, {})

    def _meant(self, policy: str, itself: State, labels: Labels) -> State:
        match policy:
            case "OK":
                return State.NORMAL
            case "Alerting":
                return State.ALERTING
            case "KeepLast":
                known = self.instances.get(labels)
                lasts = known is not None and known.state in {State.PENDING, State.ALERTING}
                return State.ALERTING if lasts else State.NORMAL
        if policy != itself:
            raise UnsupportedError(f"{self.rule.uid}: {policy} for {itself}")
        return itself

    def _set(self, labels: Labels, wanted: State, now: float, values: Mapping[str, float | None]) -> None:
        known = self.instances.get(labels)
        state = wanted
        if wanted is State.ALERTING and self.rule.for_s > 0:
            state = State.ALERTING if known is not None and self._long_enough(known, now) else State.PENDING
        if known is not None and known.state is state:
            self.instances[labels] = replace(known, seen=now, values=values)
        else:
            self.instances[labels] = Instance(state=state, since=now, seen=now, values=values)

    def _long_enough(self, known: Instance, now: float) -> bool:
        over = known.state is State.PENDING and now - known.since >= self.rule.for_s
        return over or known.state is State.ALERTING

    def _forget(self, now: float) -> None:
        """A series that is missing for long enough is over, even one that is alerting."""
        longest = self.rule.evaluations_to_resolve * self.rule.interval_s
        self.instances = {
            labels: instance
            for labels, instance in self.instances.items()
            if instance.seen == now or now - instance.seen < longest
        }
