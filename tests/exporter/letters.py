"""What is found of dead letters."""

from pathlib import Path

from shelly_exporter.spool.dead_letters import DeadLetters, Letter


def everything(dead_letters: DeadLetters) -> list[Letter]:
    return [letter for _, letters in dead_letters.read() for letter in letters]


def lines_of(dead_letters: DeadLetters) -> list[bytes]:
    return [letter.line for letter in everything(dead_letters)]


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.glob("*.jsonl"))}
