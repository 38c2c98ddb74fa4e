"""Asserts that a component holds what its annotations promise: the check that static typing cannot make of JSON."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType, NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints


def assert_typed(value: Any) -> None:
    """Check every field of a component, and of its parts, which are named tuples, against its annotation."""
    hints = get_type_hints(type(value))
    names = [field.name for field in fields(value)] if is_dataclass(value) else list(value._fields)
    assert names == list(hints)
    for name, hint in hints.items():
        actual = getattr(value, name)
        assert _matches(actual, hint), f"{type(value).__name__}.{name} = {actual!r}"


def _matches(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return any(_matches(value, choice) for choice in arguments)
    if origin is tuple:
        return type(value) is tuple and all(_matches(item, arguments[0]) for item in value)
    if origin is Mapping:
        return type(value) is MappingProxyType and all(
            _matches(key, arguments[0]) and _matches(item, arguments[1]) for key, item in value.items()
        )
    if hint is float:
        return type(value) in {int, float} and math.isfinite(value)
    if hint is NoneType:
        return value is None
    if is_dataclass(hint) or hasattr(hint, "_fields"):
        if type(value) is not hint:
            return False
        assert_typed(value)
        return True
    return type(value) is hint
