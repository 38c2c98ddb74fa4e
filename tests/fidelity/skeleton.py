"""The form of a JSON text without its values: keys and their order, types, decimals, and where blanks stand."""

import json
import re
from decimal import Decimal
from typing import Any

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(?=\s*:)|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null')
KEY = re.compile(r'"(?:[^"\\]|\\.)*"\s*:')


def skeleton(text: str) -> str:
    """The text with every value replaced by the emptiest of its kind: `""`, `0`, `0.00`, `true`."""

    def blank(match: re.Match[str]) -> str:
        token = match.group()
        if token[0] == '"':
            return token if KEY.match(text, match.start()) else '""'
        if token in {"true", "false", "null"}:
            return "null" if token == "null" else "true"
        return "0" + ("." + "0" * len(token.partition(".")[2]) if "." in token else "")

    return TOKEN.sub(blank, text)


def decode(text: str) -> Any:
    """A JSON value whose numbers still know their decimals."""
    return json.loads(text, parse_float=Decimal)


def differences(real: Any, simulated: Any, *, ordered: bool, path: str = "") -> list[str]:
    """What is formed differently, apart from nulls and apart from decimals that a re-serialised capture has lost."""
    if isinstance(real, dict) and isinstance(simulated, dict):
        return _object_differences(real, simulated, ordered=ordered, path=path)
    if isinstance(real, list) and isinstance(simulated, list):
        pairs = zip(real, simulated, strict=False)
        return [text for pair in pairs for text in differences(*pair, ordered=ordered, path=f"{path}[]")]
    if real is None or simulated is None:
        return []
    if kind(real) != kind(simulated):
        return [f"{path}: {kind(real)} became {kind(simulated)}"]
    if kind(real) == "number" and decimals(real) > decimals(simulated):
        return [f"{path}: {real} has more decimals than {simulated}"]
    return []


def _object_differences(real: dict[str, Any], simulated: dict[str, Any], *, ordered: bool, path: str) -> list[str]:
    same = list(real) == list(simulated) if ordered else real.keys() == simulated.keys()
    found = [] if same else [f"{path}: keys {list(real)} became {list(simulated)}"]
    for key in real.keys() & simulated.keys():
        found += differences(real[key], simulated[key], ordered=ordered, path=f"{path}.{key}")
    return found


def kind(value: Any) -> str:
    """JSON's name of a type."""
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | Decimal) else type(value).__name__


def decimals(value: int | Decimal) -> int:
    """Written decimals of a number."""
    exponent = value.as_tuple().exponent if isinstance(value, Decimal) else 0
    return -exponent if isinstance(exponent, int) else 0
