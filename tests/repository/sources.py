"""The tracked files of this repository, and what their Python consists of."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INTEGRATION = ROOT / "custom_components" / "shelly_pro"
CORE = INTEGRATION / "shelly_core"
APP = ROOT / "addon" / "shelly_app"
BOARDS = ROOT / "addon" / "shelly_boards"
EXPORTER = ROOT / "addon" / "shelly_exporter"
SIMULATOR = ROOT / "tests" / "simulator"


@cache
def files() -> tuple[Path, ...]:
    """Every file that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(path for name in output.split("\0") if name and (path := ROOT / name).is_file())


def python_files(folder: Path = ROOT) -> list[Path]:
    """The Python files below a folder."""
    return [path for path in files() if path.suffix == ".py" and path.is_relative_to(folder)]


@dataclass(frozen=True)
class Function:
    """A function and its length in lines, decorators and docstring included."""

    name: str
    lines: int


def functions(path: Path) -> Iterator[Function]:
    """Every function of a file, nested ones too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min((node.lineno, *(decorator.lineno for decorator in node.decorator_list)))
            yield Function(f"{path.relative_to(ROOT)}::{node.name}", (node.end_lineno or first) - first + 1)


def imported_modules(path: Path) -> Iterator[str]:
    """The dotted names that a file imports; a relative import starts with its dots."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
