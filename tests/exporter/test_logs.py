"""Logs for machines: what is in an entry, whose they are, and what is left out."""

import io
import json
import logging
import sys
import warnings

import pytest
import structlog

from shelly_exporter.logs import set_up
from shelly_exporter.redaction import HIDDEN
from shelly_exporter.settings import Log, LogFormat, LogLevel
from tests.exporter.log_streams import SECRET, entries, fail, json_logs

pytestmark = pytest.mark.usefixtures("logging_as_before")


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
