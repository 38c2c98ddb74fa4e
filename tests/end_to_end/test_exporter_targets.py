"""The same readings in every kind of store, and what is worked out of them."""

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.exporter_line import raise_line
from tests.stack.processes import wait_until
from tests.stack.v2_proxy import V2Proxy
from tests.stack.victoria_metrics import VictoriaMetrics

if TYPE_CHECKING:
    from pathlib import Path

TELEMETRY_S = 60.0


async def test_influxdb_2(tmp_path: Path) -> None:
    async with raise_line(tmp_path) as line, V2Proxy(line.store) as proxy:
        target = {"kind": "influxdb2", "url": proxy.url, "token": proxy.token, "organisation": "home", "gzip": "true"}
        line.exporter.reload(influxdb=target)

        async def created() -> bool:
            return {"shelly", "shelly_rollups"} <= set(proxy.buckets)

        await wait_until(created, 20, "The buckets are made")
        await line.exporter.connected()
        await line.told(30)
        await line.assert_all_stored()
        assert proxy.token not in line.exporter.process.log.read_text()


async def test_victoria_metrics(tmp_path: Path) -> None:
    async with raise_line(tmp_path, start=False) as line, VictoriaMetrics(tmp_path / "vm") as store:
        line.exporter.reconfigure(influxdb={"kind": "victoriametrics", "url": store.url})
        await line.exporter.start()
        line.exporter.devices = line.fleet.devices
        line.exporter.reload()
        await line.exporter.connected()
        await line.told(30)
        await line.silence()
        await line.exporter.drained()
        told = {
            round(row["ts"] * 1000): row["params"]["em:0"]["total_act_power"]
            for row in (await line.fleet.told(line.meter))[-20:]
            if row["kind"] == "NotifyStatus" and "em:0" in row["params"]
        }
        assert len(told) > 10

        async def stored() -> bool:
            selector = f'{{__name__="em_wide_total_act_power",device="{line.meter.id}"}}'
            samples = dict((await store.samples(selector)).get("em_wide_total_act_power", []))
            return all(samples.get(ts) == pytest.approx(power) for ts, power in told.items())

        await wait_until(stored, 30, "VictoriaMetrics has the readings")


async def test_hours_days_and_the_pipeline_itself(tmp_path: Path) -> None:
    async with raise_line(tmp_path) as line:

        async def told_itself() -> bool:
            rows = await line.store.query("shelly", "SELECT last(*) FROM exporter, link")
            return len(rows) == 2

        await wait_until(told_itself, TELEMETRY_S, "The exporter tells how it is")
        await line.silence()
        await line.exporter.stop()
        for phase in ("a", "b", "c"):
            where = f"WHERE device = '{line.meter.id}' AND phase = '{phase}'"
            counts = await line.store.query("shelly", f"SELECT spread(total_act_energy) FROM emdata {where}")  # noqa: S608
            for table in ("energy_1h", "energy_1d"):
                query = f"SELECT sum(import_kwh) AS kwh, sum(resets) AS resets FROM {table} {where}"  # noqa: S608
                (rollup,) = await line.store.query("shelly_rollups", query)
                assert rollup["kwh"] == pytest.approx(counts[0]["spread"] / 1000, abs=1e-9), (phase, table)
                assert rollup["resets"] == 0
        (own,) = await line.store.query(
            "shelly", "SELECT last(points) AS points, errors, devices, broker FROM exporter"
        )
        assert own["points"] > 0
        assert (own["errors"], own["devices"], own["broker"]) == (0, 3, True)
        links = await line.store.query("shelly", "SELECT last(level_i) AS level, transport FROM link GROUP BY device")
        assert {row["device"]: row["transport"] for row in links} == dict.fromkeys(
            (device.id for device in line.fleet.devices), "mqtt"
        )
