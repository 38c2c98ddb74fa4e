"""`python -m tests.benchmarks.exporter_bare PORT USER COUNT`: how fast messages come in where nothing is done with them.

The fastest loop there is with paho: the exporter's own connection, that counts and acknowledges. The password comes on
stdin. Says "ready", and then, as JSON, when the last message came and what that cost.
"""

import asyncio
import json
import sys
import time

from shelly_exporter.broker import Broker, Message, Receipt
from shelly_exporter.settings import Mqtt

EVENTS = "+/events/rpc"


async def receive(port: int, user: str, password: str, count: int) -> None:
    """Receive `count` messages and say how it was."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[float] = loop.create_future()
    receipts: list[Receipt] = []
    received = 0

    def settle() -> None:
        broker.acknowledge(receipts)
        receipts.clear()

    def take(message: Message) -> None:
        nonlocal received
        received += 1
        if message.receipt is not None:
            if not receipts:
                loop.call_soon(settle)
            receipts.append(message.receipt)
        if received == count:
            done.set_result(time.monotonic())

    settings = Mqtt(host="127.0.0.1", port=port, username=user, password=password, client_id="bare")
    ready = asyncio.Event()
    broker = Broker(settings, subscriptions={EVENTS: 1}, on_message=take, on_state=lambda _there, _why: ready.set())
    running = asyncio.create_task(broker.run())
    await ready.wait()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    begun = time.process_time()
    at = await done
    cpu_s = time.process_time() - begun
    await asyncio.sleep(0.1)  # the last are acknowledged
    running.cancel()
    await asyncio.wait((running,))
    sys.stdout.write(json.dumps({"at": at, "cpu_s": cpu_s}) + "\n")


if __name__ == "__main__":
    asyncio.run(receive(int(sys.argv[1]), sys.argv[2], sys.stdin.readline().strip(), int(sys.argv[3])))
