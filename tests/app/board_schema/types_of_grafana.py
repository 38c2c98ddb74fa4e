"""Grafana's types as JSON Schema, made once for each version of the packages, and asked through Node."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CACHE = Path.home() / ".cache" / "shelly-pro"
MADE_OF = ("package.json", "package-lock.json", ".npmrc", "types.mjs")
SCHEMAS = "schemas.json"


def missing() -> str | None:
    """Return which program is missing that this needs, if one is."""
    return next((name for name in ("node", "npm") if shutil.which(name) is None), None)


def problems(boards: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what Grafana's types have against each of the boards, by the same names."""
    folder = _folder()
    command = ("node", HERE / "check.mjs", folder, folder / SCHEMAS)
    done = subprocess.run(command, input=json.dumps(boards), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the check of the boards failed: {done.stderr[-2000:]}")
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def _folder() -> Path:
    """Return the folder with the packages and the schemas; whoever needs it first makes it."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in MADE_OF)).hexdigest()[:12]
    folder = CACHE / f"grafana-schema-{digest}"
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    # It is put in its place whole: somebody else may make the same at the same time.
    with tempfile.TemporaryDirectory(dir=CACHE, ignore_cleanup_errors=True) as name:
        made = Path(name) / "made"
        made.mkdir()
        for file in MADE_OF:
            shutil.copy(HERE / file, made)
        _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", folder=made)
        _run("node", HERE / "types.mjs", made, made / SCHEMAS, folder=made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def _run(*command: str | Path, folder: Path) -> None:
    environment = os.environ | {"npm_config_update_notifier": "false"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed in {folder}: {done.stderr[-2000:]}")
