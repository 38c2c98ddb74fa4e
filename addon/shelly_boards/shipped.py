"""The files that are shipped in `addon/grafana/boards`; `scripts/boards` writes them."""

from pathlib import Path

from . import energy, live, quality
from .board import text

FOLDER = Path(__file__).resolve().parent.parent / "grafana" / "boards"
"""Where they are in the repository."""
BOARDS = {"live": live.BOARD, "energy": energy.BOARD, "quality": quality.BOARD}
"""By the name of their file."""


def files() -> dict[str, str]:
    """Return the text of each file by its name."""
    return {f"{name}.json": text(board.json()) for name, board in BOARDS.items()}


def write(folder: Path) -> None:
    """Write the files, and take away those of boards that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = files()
    for path in folder.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, content in wanted.items():
        (folder / name).write_text(content)


if __name__ == "__main__":
    write(FOLDER)
