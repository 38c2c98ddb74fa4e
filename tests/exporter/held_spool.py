"""A spool in memory whose appends a test can hold up or refuse, and which knows what was appended when."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import override

from shelly_exporter.spool import Spool, SpoolFullError, Stream


class HeldSpool(Spool):
    """Takes lines while `gate` is set, and refuses them while `full`."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"), max_bytes=1_000_000)
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        """Whether somebody has begun to append."""
        self.full = False
        self.refusals = 0
        self.appends: list[dict[Stream, list[bytes]]] = []
        self.at_once = self.most_at_once = 0

    @override
    def append(self, blocks: Mapping[Stream, Sequence[bytes]]) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.set()
        try:
            assert self.gate.wait(10)
            if self.full:
                self.refusals += 1
                raise SpoolFullError("no room")
            self.appends.append({stream: [*lines] for stream, lines in blocks.items()})
        finally:
            self.at_once -= 1

    def lines(self, stream: Stream = Stream.RAW) -> list[bytes]:
        """All lines of a stream, one by one."""
        blocks = [text for block in self.appends for text in block.get(stream, [])]
        return [line for text in blocks for line in text.split(b"\n")]
