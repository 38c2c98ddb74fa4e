"""A real process, from its start to its end."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.exporter.whole_exporter import device, mosquitto
from tests.stack.exporter import Exporter as ExporterProcess
from tests.stack.influxdb import InfluxServer
from tests.stack.processes import wait_until


async def test_a_process_from_its_start_to_its_end(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker, InfluxServer(tmp_path / "influxdb") as store, device(broker) as meter:
        exporter = ExporterProcess(tmp_path / "exporter", broker=broker, store=store.url)
        async with exporter:

            async def known() -> bool:
                return f"device:{meter.id}" in {hop["name"] for hop in (await exporter.health())["hops"]}

            async def connected() -> bool:
                return bool((await exporter.hop("broker"))["level"] == "ok")

            def said(event: str) -> Callable[[], bool]:
                return lambda: [entry["event"] for entry in exporter.said()].count(event) >= 1

            await wait_until(connected, 10, "the broker is there", interval_s=0.02)
            await meter.tell({"temperature:0": {"tC": 21.5}}, time.time() - 1)
            await wait_until(known, 10, "the device is known", interval_s=0.02)
            # Nonsense does no harm.
            good = exporter.config.read_text()
            exporter.config.write_text(good.replace("commit_ms", "comit_ms") + "\nnonsense: 1\n")
            exporter.process.send(signal.SIGHUP)
            await wait_until(
                said("The settings were not reloaded: the exporter goes on with the old ones"), 10, "bad settings"
            )
            assert any("nonsense" in entry["event"] for entry in exporter.said() if entry["level"] == "warning")
            exporter.config.write_text(good.replace("instance: exporter", "instance: cellar"))
            exporter.process.send(signal.SIGHUP)
            await wait_until(said("The settings were reloaded"), 10, "good settings")
            await wait_until(lambda: "cellar" in _instances(exporter), 10, "it begins anew")
            # Met before, so it needs no message to be known.
            await wait_until(known, 10, "the device is known again", interval_s=0.02)
        assert exporter.process.returncode == 0
        assert exporter.said()[-1]["event"] == "Stopped"
        assert [entry for entry in exporter.said() if entry["level"] in {"error", "critical"}] == []
        rows = await store.query("shelly", "SELECT * FROM exporter")
        assert {row["instance"] for row in rows} == {"exporter", "cellar"}
        assert len(await store.query("shelly", "SELECT * FROM temperature")) >= 1


def _instances(exporter: ExporterProcess) -> set[str]:
    return {entry["instance"] for entry in exporter.said() if entry["event"] == "Started"}
