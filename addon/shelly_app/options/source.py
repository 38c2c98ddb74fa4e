"""Where options come from: Supervisor's file, or a file of the person's and variables, which win over it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from shelly_app.places import Places

from .environment import label, variables
from .errors import OptionsError
from .load import interpret, load
from .model import Options
from .schema import flattened

SUPERVISOR = "SUPERVISOR_TOKEN"
"""The variable that is there exactly when there is a Supervisor."""


def read(places: Places, environ: Mapping[str, str]) -> Options:
    """Return what was set; `OptionsError` with all problems there are. With Supervisor, variables do not count."""
    if environ.get(SUPERVISOR):
        return load(_json(places.data / "options.json"))
    path = places.config / "options.yaml"
    written = _yaml(path) if path.exists() else {}
    problems: list[str] = []
    given = variables(environ, problems)
    return interpret({**dict(flattened(written)), **given}, problems, label)


def _json(path: Path) -> Mapping[str, Any]:
    remedy = "save the configuration of the app once more, and start it again"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionsError([f"{path}: cannot be read ({error.strerror}): {remedy}"]) from None
    except ValueError:
        raise OptionsError([f"{path}: is no JSON: {remedy}"]) from None
    if not isinstance(document, dict):
        raise OptionsError([f"{path}: holds no options: {remedy}"])
    return document


def _yaml(path: Path) -> Mapping[str, Any]:
    """Return the document with all values as text, so that a password such as `0123` needs no quotes."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)  # noqa: S506  # makes text only
    except OSError as error:
        raise OptionsError(
            [f"{path}: cannot be read ({error.strerror}): let it be a file that root can read"]
        ) from None
    except UnicodeDecodeError, yaml.reader.ReaderError:
        raise OptionsError([f"{path}: is no text in UTF-8: save it as UTF-8"]) from None
    except yaml.MarkedYAMLError as error:
        # Nothing of the file is shown: it may be part of a password.
        line = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
        remedy = "check the indentation, and put values with special signs in quotes"
        raise OptionsError([f"{path}{line}: is no YAML: {remedy}"]) from None
    if document in (None, ""):
        return {}
    if not isinstance(document, dict):
        raise OptionsError([f"{path}: holds no options: write sections such as mqtt: with options below"])
    return document
