"""Sizes that keep the code liveable. Complexity is watched by ruff, annotations by mypy."""

import statistics

from tests.repository.sources import ROOT, functions, python_files

MAX_FILE_LINES = 400
MEDIAN_FILE_LINES = 120
MAX_FUNCTION_LINES = 60
P90_FUNCTION_LINES = 30


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in python_files()}
    assert {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > MAX_FILE_LINES} == {}
    assert statistics.median(lengths.values()) <= MEDIAN_FILE_LINES


def test_functions_are_short() -> None:
    found = [function for path in python_files() for function in functions(path)]
    assert [function for function in found if function.lines > MAX_FUNCTION_LINES] == []
    assert statistics.quantiles([function.lines for function in found], n=10)[-1] <= P90_FUNCTION_LINES
