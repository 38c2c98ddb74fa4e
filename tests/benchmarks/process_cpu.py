"""CPU time of a running process by thread, from Linux's `/proc`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.stack.processes import StackError

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
RECORDER = "Recorder"


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTime:
    """User and system seconds of a process since it began: all of it, its main thread, the recorder's thread."""

    total_s: float
    main_s: float
    recorder_s: float

    @classmethod
    def of(cls, pid: int) -> Self:
        """Read the process; StackError when it is gone."""
        process = Path(f"/proc/{pid}")
        try:
            threads = [_read(task / "stat") for task in (process / "task").iterdir()]
            _, total_s = _read(process / "stat")
            _, main_s = _read(process / "task" / str(pid) / "stat")
        except OSError as error:
            raise StackError(f"Process {pid} cannot be measured ({error.strerror}): look at its log") from error
        return cls(total_s=total_s, main_s=main_s, recorder_s=sum(s for name, s in threads if name == RECORDER))

    def since(self, earlier: CpuTime) -> CpuTime:
        """Return what was used from `earlier` to this."""
        return CpuTime(
            total_s=self.total_s - earlier.total_s,
            main_s=self.main_s - earlier.main_s,
            recorder_s=self.recorder_s - earlier.recorder_s,
        )


def _read(stat: Path) -> tuple[str, float]:
    """Return the name and the seconds of a process or thread; the name stands in brackets and may contain some."""
    name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
    columns = rest.split()
    return name, (int(columns[11]) + int(columns[12])) / TICKS_PER_S
