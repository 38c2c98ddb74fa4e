"""What of texts and data is a secret, and what becomes of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter.redaction import HIDDEN, scrubbed, without_secrets
from tests.exporter.log_streams import SECRET


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://:a@b@cache/0", "redis://***@cache/0"),
        ("http://user:pw@[::1]:8086/x?y=1", "http://***@[::1]:8086/x?y=1"),
        ("see http://host/path and mail a@b.example", "see http://host/path and mail a@b.example"),
        ("Authorization: Digest username=admin, response=1", "Authorization: ***"),
        ("{'authorization': 'Token x'}", "{'authorization': ***"),
        ("sent Bearer abcdefghijklmnopqrstuv== to", "sent Bearer *** to"),
        ("Token authentication failed", "Token authentication failed"),
        ('{"token": "a\\"b", "n": 1}', '{"token": ***, "n": 1}'),
        ("Mqtt(password='a b', port=1)", "Mqtt(password=***, port=1)"),
        ("api_key=abc&n=1", "api_key=***&n=1"),
        (
            "influxdb.token (SHELLY_INFLUXDB_TOKEN): is not given",
            "influxdb.token (SHELLY_INFLUXDB_TOKEN): is not given",
        ),
        ("set mqtt.password: 'none' is given", "set mqtt.password: *** is given"),
    ],
)
def test_secrets_are_known_by_their_form(text: str, expected: str) -> None:
    assert scrubbed(text) == expected


def test_plain_data() -> None:
    given: dict[Any, Any] = {
        "passwords": {"a": SECRET},
        "token": None,
        "password_refused": True,
        "pin_token": 1234,
        "tuple": (1, 2.5, float("inf"), None),
        3: b"password=x",
        "error": KeyError("a"),
    }
    assert without_secrets(given) == {
        "passwords": HIDDEN,
        "token": None,
        "password_refused": True,
        "pin_token": HIDDEN,
        "tuple": [1, 2.5, None, None],
        "3": "b'password=***'",
        "error": "KeyError: 'a'",
    }


def test_what_has_no_end_is_cut_off() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert "…" in json.dumps(without_secrets(endless), ensure_ascii=False)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_anything_becomes_json(value: Any) -> None:
    json.dumps(without_secrets(value), allow_nan=False)
