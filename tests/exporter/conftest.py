"""What several tests of a subject begin with."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.exporter.settings_files import Write


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file with a secret in it."""
    path = tmp_path / "secret"
    path.write_text("hunter2\n")
    return path


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of settings that only its owner can read."""

    def written(text: str) -> Path:
        path = tmp_path / "exporter.yaml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return written


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """What other tests find is what this one found."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
