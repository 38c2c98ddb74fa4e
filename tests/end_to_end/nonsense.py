"""`python -m tests.end_to_end.nonsense HOST PORT`: what no device says, on topics that no device has, much of it."""

import asyncio
import os
import sys

import aiomqtt

USER = "nonsense"
TOPICS = 10_000
LARGE_BYTES = 10_000_000
FRAMES = (
    b"",
    b"{",
    b"\xff\xfe",
    b"[" * 2_000,
    b'{"src": 5}',
    b'{"src": "shellypro3em-zzzzzzzzzzzz", "method": "NotifyStatus", "params": {"ts": 1, "em:0": {"a_voltage": 1}}}',
    b'{"src": "somebody", "method": "NotifyStatus", "params": {"ts": 1e300, "em:0": null}}',
    b'{"src": "shelly", "method": "NotifyEvent", "params": {"events": [null]}}',
)


async def main(host: str, port: int) -> None:
    """Publish it all, acknowledged."""
    password = os.environ["NONSENSE_PASSWORD"]
    async with aiomqtt.Client(host, port, username=USER, password=password, max_inflight_messages=100) as client:
        for number in range(TOPICS):
            frame = FRAMES[number % len(FRAMES)]
            await client.publish(f"unknown-{number}/events/rpc", frame, qos=1)
        for topic in ("unknown/events/rpc", "unknown/online", "exporter/rpc"):
            await client.publish(topic, bytes(LARGE_BYTES), qos=1)
        for number in range(TOPICS // 10):
            await client.publish(f"unknown-{number}/online", b"true", qos=1)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
