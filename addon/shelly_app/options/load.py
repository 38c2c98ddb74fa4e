"""From what was given to `Options`: each value, then all together, then the defaults for the rest."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from .errors import OptionsError
from .model import Alerts, Boards, Database, Mqtt, Options, Tls
from .rules import contradictions
from .schema import Label, Values, flattened, validate


def load(document: Mapping[str, Any]) -> Options:
    """Return the options of a document in sections, as Supervisor keeps it; `OptionsError` with all problems."""
    return interpret(dict(flattened(document)))


def interpret(given: Values, problems: Iterable[str] = (), label: Label = str) -> Options:
    """Return the options of values by key such as `mqtt.mode`.

    Raises `OptionsError` with `problems` that are known already and all that are found; `label` names their keys.
    """
    values, wrong = validate(given, label)
    every = (*problems, *chain.from_iterable(wrong.values()), *contradictions(values, wrong, label))
    if every:
        raise OptionsError(every)
    return Options(
        **_section(values, ""),
        mqtt=Mqtt(**_section(values, "mqtt"), tls=Tls(**_section(values, "mqtt.tls"))),
        database=Database(**_section(values, "database")),
        boards=Boards(**_section(values, "boards")),
        alerts=Alerts(**_section(values, "alerts")),
    )


def _section(values: Values, name: str) -> dict[str, Any]:
    """Return what stands right in a section, by its last name."""
    parts = {key: key.rpartition(".") for key in values}
    return {last: values[key] for key, (section, _, last) in parts.items() if section == name}
