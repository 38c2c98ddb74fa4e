import io
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, override

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter.logs import set_up
from shelly_exporter.redaction import HIDDEN, scrubbed, without_secrets
from shelly_exporter.settings import Log, LogFormat, LogLevel

SECRET = "hunter2"


class Terminal(io.StringIO):
    @override
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """What other tests find is what this one found."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def entries(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def json_logs(level: LogLevel = LogLevel.INFO) -> io.StringIO:
    stream = io.StringIO()
    set_up(Log(format=LogFormat.JSON, level=level), stream)
    return stream


def console_logs(stream: io.StringIO | None = None) -> io.StringIO:
    chosen = io.StringIO() if stream is None else stream
    set_up(Log(format=LogFormat.CONSOLE, level=LogLevel.INFO), chosen)
    return chosen


def fail(text: str, *tell: Callable[[str], None]) -> None:
    """Let each of `tell` log an exception with `text`, where a local variable holds the secret."""
    held = SECRET
    try:
        int(text)
    except ValueError:
        for each in tell:
            each(f"it broke after {len(held)} letters")


def test_an_entry_in_json() -> None:
    stream = json_logs()
    structlog.get_logger("shelly_exporter.sender").warning("Lines were refused", lines=3, cause="type conflict")
    (entry,) = entries(stream)
    assert list(entry)[:4] == ["timestamp", "level", "logger", "event"]
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "level": "warning",
        "logger": "shelly_exporter.sender",
        "event": "Lines were refused",
        "lines": 3,
        "cause": "type conflict",
    }


@pytest.mark.parametrize("name", ["shelly_core.client", "paho.mqtt.client", "aiohttp.server", "urllib3.connectionpool"])
def test_what_others_log_takes_the_same_way(name: str) -> None:
    stream = json_logs()
    logging.getLogger(name).error("no answer from %s", "shellypro3-1")
    (entry,) = entries(stream)
    assert (entry["logger"], entry["level"], entry["event"]) == (name, "error", "no answer from shellypro3-1")


def test_warnings_of_libraries_are_logged() -> None:
    stream = json_logs()
    warnings.warn("this will go away", FutureWarning, stacklevel=1)
    (entry,) = entries(stream)
    assert entry["logger"] == "py.warnings"
    assert "this will go away" in entry["event"]


@pytest.mark.parametrize("level", list(LogLevel))
def test_what_is_less_important_than_wanted_is_left_out(level: LogLevel) -> None:
    stream = json_logs(level)
    for name in LogLevel:
        getattr(structlog.get_logger("ours"), name)("ours")
        getattr(logging.getLogger("theirs"), name)("theirs")
    expected = [str(name) for name in [*LogLevel][[*LogLevel].index(level) :]]
    assert [entry["level"] for entry in entries(stream) if entry["logger"] == "ours"] == expected
    assert [entry["level"] for entry in entries(stream) if entry["logger"] == "theirs"] == expected


@pytest.mark.parametrize("form", list(LogFormat))
def test_secrets_do_not_get_out(form: LogFormat) -> None:
    stream = io.StringIO()
    set_up(Log(format=form), stream)
    logger = structlog.get_logger("ours")
    logger.info("connecting", password=SECRET, headers={"Authorization": f"Token {SECRET}"}, nested=[{"token": SECRET}])
    logger.info("to redis://user:%s@cache:6379/0", SECRET)
    logger.info("failed", error=OSError(f"http://admin:{SECRET}@influx:8086 is away"))
    logging.getLogger("urllib3").warning("GET /query?db=shelly&password=%s", SECRET)
    structlog.contextvars.bind_contextvars(redis_password=SECRET)
    logger.info("bound")
    structlog.contextvars.clear_contextvars()
    fail(f"Authorization: Bearer {SECRET}", logger.exception, logging.getLogger("aiohttp").exception)
    told = stream.getvalue()
    assert SECRET not in told
    assert told.count("Traceback") == 2
    assert told.count(HIDDEN) >= 9
    assert "GET /query?db=shelly&password=***" in told


def test_exceptions_have_no_locals_also_on_a_terminal() -> None:
    stream = console_logs(Terminal())
    fail("it broke", structlog.get_logger("ours").exception)
    told = stream.getvalue()
    assert "ValueError: invalid literal" in told
    assert SECRET not in told
    assert told.count("\n") > 3


def test_colours_only_on_a_terminal() -> None:
    structlog.get_logger("ours")
    plain, coloured = console_logs(), console_logs(Terminal())
    structlog.get_logger("ours").info("hello", device="shellypro3-1")
    assert "\x1b[" in coloured.getvalue()
    assert plain.getvalue() == ""  # the second set_up replaced the first
    plain = console_logs()
    structlog.get_logger("ours").info("hello", device="shellypro3-1")
    assert "\x1b" not in plain.getvalue()
    assert plain.getvalue().rstrip().endswith("hello [ours] device=shellypro3-1")


def test_json_has_no_colours_on_a_terminal_either() -> None:
    stream = Terminal()
    set_up(Log(format=LogFormat.JSON), stream)
    structlog.get_logger("ours").info("hello")
    assert entries(stream)[0]["event"] == "hello"


def test_a_device_cannot_write_lines_or_colours_of_its_own() -> None:
    stream = console_logs()
    structlog.get_logger("ours").info("met \x1b[31mred\nERROR all is lost", device="a\r\n\x9b1mb", n=1)
    told = stream.getvalue()
    assert told.count("\n") == 1
    assert "met \\x1b[31mred\\nERROR all is lost" in told
    assert not set(told) & {"\x1b", "\r", "\x9b"}
    stream = json_logs()
    structlog.get_logger("ours").info("a\nb", device="c\nd")
    assert entries(stream)[0]["device"] == "c\nd"


def test_setting_up_again_replaces_and_leaves_others_alone() -> None:
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    first, second = json_logs(), json_logs(LogLevel.DEBUG)
    structlog.get_logger("ours").debug("once")
    assert first.getvalue() == ""
    assert len(entries(second)) == 1
    assert other in logging.getLogger().handlers


def test_it_writes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(Log(format=LogFormat.JSON))
    structlog.get_logger("ours").info("hello")
    captured = capsys.readouterr()
    assert (captured.out, json.loads(captured.err)["event"]) == ("", "hello")
    assert sys.stderr is not None


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
