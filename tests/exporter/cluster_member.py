"""One member of a cluster in a process of its own, to be killed: `python -m tests.exporter.cluster_member URL NAME`."""

import asyncio
import sys

from shelly_exporter.cluster import Cluster, Timing
from shelly_exporter.settings import Cluster as ClusterSettings

FAST = Timing(lease_s=1.2, renew_s=0.2, timeout_s=0.3)
"""Leases that tests need not wait for."""


async def main(url: str, name: str) -> None:
    """Hold what there is to hold, until killed."""
    await Cluster(ClusterSettings(group="house", redis_url=url), name, timing=FAST).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
