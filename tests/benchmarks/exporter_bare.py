"""How fast messages come in where nothing is done with them.

`python -m tests.benchmarks.exporter_bare WHO PORT USER COUNT`; WHO is `exporter`, the exporter's own connection, or
`paho`, its library as it comes, in the fastest way that it knows. Both count and acknowledge. The password comes on
stdin. Says "ready", and then, as JSON, when the last message came and what CPU time all of them took.
"""

import asyncio
import json
import sys
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from shelly_exporter.broker import Broker, Message, Receipt
from shelly_exporter.settings import Mqtt

EVENTS = "+/events/rpc"


async def receive(port: int, user: str, password: str, count: int) -> None:
    """Receive `count` messages on the exporter's connection, and acknowledge together what comes together."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    receipts: list[Receipt] = []
    received, begun = 0, 0.0

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
            _tell(begun)
            done.set_result(None)

    # Without a session that outlives it: the broker would keep for it what others are sent.
    settings = Mqtt(host="127.0.0.1", port=port, username=user, password=password, client_id="bare", session_expiry_s=0)
    ready = asyncio.Event()
    broker = Broker(settings, subscriptions={EVENTS: 1}, on_message=take, on_state=lambda _there, _why: ready.set())
    running = asyncio.create_task(broker.run())
    await ready.wait()
    begun = _begin()
    await done
    await asyncio.sleep(0.1)  # the last are acknowledged
    running.cancel()
    await asyncio.wait((running,))


def receive_with_paho(port: int, user: str, password: str, count: int) -> None:
    """Receive `count` messages in paho's own loop, which acknowledges; MQTT 3.1.1 is the faster one."""
    received, begun = 0, 0.0

    def take(_client: Client, _userdata: Any, _message: MQTTMessage) -> None:
        nonlocal received
        received += 1
        if received == count:
            _tell(begun)
            client.disconnect()

    def subscribe(*_: Any) -> None:
        client.subscribe(EVENTS, 1)

    def start(*_: Any) -> None:
        nonlocal begun
        begun = _begin()

    client = Client(CallbackAPIVersion.VERSION2, client_id="bare-paho")
    client.username_pw_set(user, password)
    client.on_connect = subscribe
    client.on_subscribe = start
    client.on_message = take
    client.connect("127.0.0.1", port)
    client.loop_forever()


def _begin() -> float:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    return time.process_time()


def _tell(begun: float) -> None:
    sys.stdout.write(json.dumps({"at": time.monotonic(), "cpu_s": time.process_time() - begun}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the command line."""
    who, port, user, count = sys.argv[1:]
    password = sys.stdin.readline().strip()
    if who == "paho":
        receive_with_paho(int(port), user, password, int(count))
    else:
        asyncio.run(receive(int(port), user, password, int(count)))


if __name__ == "__main__":
    main()
