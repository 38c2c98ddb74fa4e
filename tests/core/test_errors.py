import re

import pytest

from shelly_core import errors


def test_the_tree_is_the_one_drawn_in_the_docstring() -> None:
    drawn = []
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if (match := re.match(r"([│├└─ ]*)(\w+Error)\b", line)) is not None:
            del path[len(match[1]) // 4 :]
            drawn.append((path[-1] if path else "Exception", match[2]))
            path.append(match[2])
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert sorted(drawn) == sorted((cls.__bases__[0].__name__, cls.__name__) for cls in classes)
    assert len(drawn) <= 10


def test_errors_carry_their_facts() -> None:
    refused = errors.RpcError(-105, "Argument 'id', value 9 not found!", "Switch.Set")
    assert (refused.code, refused.message, refused.method) == (-105, "Argument 'id', value 9 not found!", "Switch.Set")
    assert str(refused) == "Switch.Set: Argument 'id', value 9 not found! (-105)"
    other = errors.DeviceMismatchError("A", "B")
    assert (other.expected, other.found) == ("A", "B")
    assert "A" in str(other)
    assert "B" in str(other)
    assert errors.LinkTimeoutError("slow").retry_after_s is None
    assert errors.LinkError("busy", retry_after_s=2.5).retry_after_s == pytest.approx(2.5)
    assert errors.FrameError("not JSON").reason == "not JSON"
    assert errors.UnsupportedDeviceError("SHSW-1").model == "SHSW-1"
    assert "SHSW-1" in str(errors.UnsupportedDeviceError("SHSW-1"))


def test_of_several_errors_the_one_that_a_person_can_act_upon_counts() -> None:
    slow, busy = errors.LinkTimeoutError("slow"), errors.LinkError("busy", retry_after_s=2.5)
    password, other = errors.AuthError("refused"), errors.DeviceMismatchError("A", "B")
    assert errors.worst_of([("mqtt", other), ("http", password)]) is password
    assert errors.worst_of([("mqtt", slow), ("http", other)]) is other
    assert errors.worst_of([("http", busy)]) is busy
    both = errors.worst_of([("mqtt", slow), ("http", busy)])
    assert isinstance(both, errors.LinkError)
    assert (str(both), both.retry_after_s) == ("over MQTT: slow; over HTTP: busy", 2.5)
    assert str(errors.worst_of([])) == "there is no link"
