"""What all stores have in common: kinds, bodies, retentions."""

import os
import subprocess
import sys

import aiohttp
import pytest

from shelly_exporter.settings import Kind, Target
from shelly_exporter.targets import DIALECTS, compressed, retentions, target_for
from shelly_exporter.targets.influxdb_v1 import InfluxV1
from shelly_exporter.targets.influxdb_v2 import InfluxV2
from tests.repository.sources import ROOT


def test_every_kind_is_described() -> None:
    assert set(DIALECTS) == set(Kind)


@pytest.mark.parametrize(
    ("kind", "cls"),
    [
        (Kind.INFLUXDB1, InfluxV1),
        (Kind.INFLUXDB2, InfluxV2),
        (Kind.INFLUXDB3, InfluxV2),
        (Kind.VICTORIAMETRICS, InfluxV2),
    ],
)
async def test_every_kind_has_its_target(kind: Kind, cls: type) -> None:
    async with aiohttp.ClientSession() as session:
        target = target_for(Target(kind=kind), session)
        assert isinstance(target, cls)
        await target.close()


def test_influxdb_1_does_without_the_library() -> None:
    """It takes 30 MB."""
    modules = "shelly_exporter.sender, shelly_exporter.targets.influxdb_v1"
    code = f"import {modules}, sys; sys.exit('influxdb_client' in sys.modules)"
    path = os.pathsep.join(("addon", "custom_components/shelly_pro"))
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, check=True)


@pytest.mark.parametrize(
    ("url", "gzip", "expected"),
    [
        ("http://127.0.0.1:8086", None, False),
        ("http://localhost:8086", None, False),
        ("http://[::1]:8086", None, False),
        ("http://192.168.1.5:8086", None, True),
        ("https://influx.lan", None, True),
        ("https://influx.lan", False, False),
        ("http://127.0.0.1:8086", True, True),
    ],
)
def test_bodies_are_compressed_where_it_helps(url: str, gzip: bool | None, expected: bool) -> None:
    assert compressed(Target(url=url, gzip=gzip)) is expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Target(retention_days=60), {"shelly": 60, "shelly_rollups": 0}),
        (Target(bucket="one", rollup_bucket="one", retention_days=60), {"one": 0}),
        (Target(bucket="one", rollup_bucket="one", retention_days=60, rollup_retention_days=90), {"one": 90}),
    ],
)
def test_retentions(settings: Target, expected: dict[str, int]) -> None:
    assert retentions(settings) == expected
