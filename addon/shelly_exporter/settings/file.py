"""The YAML file of settings: texts by key, whatever YAML itself would take a value for."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import yaml

from . import SettingsError
from .schema import PATHS, SECRETS, SECTIONS, label
from .values import Raw

_NOTHING = frozenset({"", "~", "null"})
_DEEPEST = 5
_EVERYBODY = stat.S_IROTH
_QUOTING = re.compile(r"(alias|anchor|handle) .*")
"""Where YAML says what stands in the file, which may be part of a password."""
CONFIG = "--config (SHELLY_CONFIG)"


def read_file(path: Path) -> dict[str, Raw]:
    """Return what the file gives, by key such as `mqtt.port`; paths in it are relative to its folder.

    `0123` stays a text, so that a password needs no quotes. Raises `SettingsError` if it cannot be read; no text of
    the file is in it, as that may be a password.
    """
    given = dict(_flattened(_content(path)))
    for key in PATHS & given.keys():
        if isinstance(value := given[key], str) and not value.startswith("~"):
            given[key] = str(path.absolute().parent / value)
    return given


def exposed(path: Path, given: dict[str, Raw]) -> Iterator[str]:
    """Yield a warning if everybody may read secrets in the file."""
    secret = [key for key in SECRETS if key in given and (key != "cluster.redis_url" or "@" in str(given[key]))]
    if secret and path.stat().st_mode & _EVERYBODY:
        yield (
            f"{label(secret[0])}: stands in {path}, which everybody on this system can read: run chmod o-r {path}, "
            f"or keep it in a file of its own named by {label(f'{secret[0]}_file')}"
        )


def _content(path: Path) -> dict[str, Raw]:
    try:
        root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except FileNotFoundError:
        raise SettingsError(
            [f"{CONFIG}: there is no file {path}: correct the path, or leave it out and use variables"]
        ) from None
    except OSError as error:
        remedy = "give the path of a file that the exporter's user can read"
        raise SettingsError([f"{CONFIG}: {path} cannot be read ({error.strerror}): {remedy}"]) from None
    except (UnicodeDecodeError, yaml.reader.ReaderError) as error:
        raise SettingsError([f"{CONFIG}: {path} is no text in UTF-8 ({error.reason}): save it as UTF-8"]) from None
    except yaml.MarkedYAMLError as error:
        raise SettingsError([f"{CONFIG}: {path} is no YAML: {_trouble(error)}"]) from None
    content = {} if root is None else _value(root)
    if not isinstance(content, dict):
        if content is None:
            return {}
        raise SettingsError([f"{CONFIG}: {path} holds no settings: write sections such as mqtt: with keys below"])
    return content


def _trouble(error: yaml.MarkedYAMLError) -> str:
    where = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
    said = _QUOTING.sub(r"\1", str(error.problem))
    return f"{where}{said}: check the indentation, and put values with special characters in quotes"


def _value(node: yaml.Node, depth: int = 0) -> Raw | None:
    if depth > _DEEPEST:  # an alias may contain itself
        raise _wrong_line(node, "is nested deeper than any setting: write section, key and value")
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, depth)
    if isinstance(node, yaml.SequenceNode):
        items = [_value(item, depth + 1) for item in node.value]
        return ["" if item is None else item for item in items]
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return None if plain and node.value in _NOTHING else str(node.value)


def _mapping(node: yaml.MappingNode, depth: int) -> dict[str, Raw]:
    found: dict[str, Raw | None] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _wrong_line(key, "has a list or section for a key: put values with special characters in quotes")
        if key.value in found:
            raise _wrong_line(key, f"gives {key.value} again: take one of them away")
        found[key.value] = _value(value, depth + 1)
    return {key: value for key, value in found.items() if value is not None}


def _wrong_line(node: yaml.Node, what: str) -> SettingsError:
    return SettingsError([f"{CONFIG}: line {node.start_mark.line + 1} {what}"])


def _flattened(content: dict[str, Raw]) -> Iterator[tuple[str, Raw]]:
    for name, value in content.items():
        if name in SECTIONS and isinstance(value, dict):
            yield from ((f"{name}.{key}", item) for key, item in value.items() if item != "")
        elif value != "":
            yield name, value
