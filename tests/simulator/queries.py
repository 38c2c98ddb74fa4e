"""Parameters of `GET /rpc/<Method>?…`: JSON values where they parse, `config.a.b=1` for nested ones."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def params_of(query: Mapping[str, str]) -> dict[str, Any]:
    """Return the `params` object a query string stands for."""
    params: dict[str, Any] = {}
    for name, text in query.items():
        *parents, leaf = name.split(".")
        target = params
        for parent in parents:
            inner = target.setdefault(parent, {})
            if not isinstance(inner, dict):
                inner = target[parent] = {}
            target = inner
        target[leaf] = _value(text)
    return params


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
