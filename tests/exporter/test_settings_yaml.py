"""A file of settings that is no YAML, no text, or not there."""

from pathlib import Path

import pytest

from tests.exporter.settings_files import Write, problems, settings

CURE = "check the indentation, and put values with special characters in quotes"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mqtt:\n\thost: a", f"is no YAML: line 2: found character '\\t' that cannot start any token: {CURE}"),
        ("mqtt: a: b", f"is no YAML: line 1: mapping values are not allowed here: {CURE}"),
        ("a: {", f"is no YAML: line 1: expected the node content, but found '<stream end>': {CURE}"),
        ("mqtt: {password: *hunter2}", f"is no YAML: line 1: found undefined alias: {CURE}"),
        ("mqtt: {password: !hunter2!x y}", f"is no YAML: line 1: found undefined tag handle: {CURE}"),
        ("mqtt: {port: 1", f"is no YAML: line 1: expected ',' or '}}', but got '<stream end>': {CURE}"),
        ("a: &hunter2 b\nc: &hunter2 d", f"is no YAML: line 2: second occurrence: {CURE}"),
        ("a: b\n---\nc: d", f"is no YAML: line 2: but found another document: {CURE}"),
        ("just words", "holds no settings: write sections such as mqtt: with keys below"),
        ("[mqtt]", "holds no settings: write sections such as mqtt: with keys below"),
        ("web:\n  port: 1\n  port: 2", "line 3 gives port again: take one of them away"),
        ("mqtt:\nmqtt:", "line 2 gives mqtt again: take one of them away"),
        ("? [hunter2]\n: a", "line 1 has a list or section for a key: put values with special characters in quotes"),
        ("a: &b\n  c: *b", "line 1 is nested deeper than any setting: write section, key and value"),
        ('a: "\x00"', "is no text in UTF-8 (special characters are not allowed): save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_yaml(write: Write, text: str, said: str) -> None:
    (problem,) = problems(write(text))
    assert problem.startswith("--config (SHELLY_CONFIG): ")
    assert problem.endswith(said)
    assert "hunter2" not in problem


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("instance: Küche".encode("latin-1"))
    assert problems(path) == [
        f"--config (SHELLY_CONFIG): {path} is no text in UTF-8 (invalid start byte): save it as UTF-8"
    ]


def test_a_mark_of_the_byte_order_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "notepad.yaml"
    path.write_bytes(b"\xef\xbb\xbfinstance: a\r\n")
    assert settings(path).instance == "a"


READABLE = "give the path of a file that the exporter's user can read"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    said = f"there is no file {path}: correct the path, or leave it out and use variables"
    assert problems(path) == [f"--config (SHELLY_CONFIG): {said}"]
    assert problems(tmp_path) == [f"--config (SHELLY_CONFIG): {tmp_path} cannot be read (Is a directory): {READABLE}"]
