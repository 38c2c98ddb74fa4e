"""Logs for people: colours, and nothing that a device or an exception brings in."""

import pytest
import structlog

from shelly_exporter.logs import set_up
from shelly_exporter.settings import Log, LogFormat
from tests.exporter.log_streams import SECRET, Terminal, console_logs, entries, fail, json_logs

pytestmark = pytest.mark.usefixtures("logging_as_before")


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
