"""Who handles a notification, from its bytes to the state it leaves behind; each can be asked for that state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from aiohttp import WSMsgType
from aiohttp.http_websocket import WSMessageTextBytes
from aioshelly.common import ConnectionOptions
from aioshelly.rpc_device import RpcDevice
from aioshelly.rpc_device.wsrpc import RPCSource, WsRPC, _receive_json_or_raise

from shelly_core import Client, Device, DeviceInfo, EmStatus, Notification, Update
from shelly_core.frame import decode
from tests.benchmarks.meter_frames import KEY, Meter
from tests.benchmarks.simulated_link import SimulatedLink

type Fields = Mapping[str, Any]

CLIENT = "shelly_core: … all of it, through Client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """`take` handles what `prepare` makes of a frame; `shown` returns the raw fields of `em:0` as they stand then.

    `begin` is told the time of the first frame whenever the frames begin again, since what is older is dropped.
    """

    name: str
    take: Callable[[Any], object]
    shown: Callable[[], Fields]
    begin: Callable[[float], None] = lambda _ts: None
    prepare: Callable[[bytes], object] = lambda frame: frame  # what the transport, which is not timed, makes of it


def core(meter: Meter) -> Contestant:
    """Decode, order, check types and ranges, overlay, check that it agrees."""
    device = _device(meter)

    def take(data: bytes) -> None:
        frame = decode(data)
        if type(frame) is Notification:
            device.apply(frame, 0.0)

    return Contestant(
        name="shelly_core: decode, check, overlay",
        take=take,
        shown=lambda: device.status[KEY],
        begin=lambda _ts: device.forget_order(),
    )


def typed_core(meter: Meter) -> Contestant:
    """As `core`, and read the typed status, which is decoded when somebody asks."""
    device = _device(meter)

    def take(data: bytes) -> None:
        frame = decode(data)
        if type(frame) is Notification:
            device.apply(frame, 0.0)
            device.get(KEY)

    return Contestant(
        name="shelly_core: … and the typed status",
        take=take,
        shown=lambda: device.status[KEY],
        begin=lambda _ts: device.forget_order(),
    )


async def core_client(meter: Meter) -> Contestant:
    """All that the core does for an application: `Client`, from the link's bytes to the listener's typed status.

    All machines take part: the device's clock, the order, what agrees with what, the counters, the choice of the link.
    """
    link = SimulatedLink(meter.device)
    client = Client(source="benchmark", mqtt=link, wall=meter.now)
    device = await client.connect(meter.device.mac)

    def listen(update: Update) -> None:
        for key in update.changed:
            device.get(key)

    def begin(ts: float) -> None:
        """Our own clock goes on one second with each frame; to ask it is as cheap as `time.time`."""
        device.forget_order()
        client._wall = count(ts, 1.0).__next__

    client.subscribe(listen)
    return Contestant(name=CLIENT, take=link.on_frame, shown=lambda: device.status[KEY], begin=begin)


async def aioshelly(meter: Meter) -> Contestant:
    """Run aioshelly's own code from the WebSocket message to its listener; needs a running loop.

    Left out are the socket and the receiving task. The device is taken for initialised, as after its first answers.
    """
    device = RpcDevice(None, None, ConnectionOptions("127.0.0.1", device_mac=meter.device.mac))
    device._status = meter.full_status()
    device.initialized = True
    device.subscribe_updates(lambda *_: None)
    wire = device._rpc
    if not isinstance(wire, WsRPC):
        raise TypeError("aioshelly did not choose its WebSocket")

    def take(message: WSMessageTextBytes) -> None:
        wire.handle_frame(RPCSource.CLIENT, _receive_json_or_raise(message))

    return Contestant(
        name="aioshelly: decode, merge, listener",
        take=take,
        shown=lambda: device.status[KEY],
        prepare=lambda frame: WSMessageTextBytes(WSMsgType.TEXT, frame, None),
    )


def _device(meter: Meter) -> Device:
    device = Device(DeviceInfo.parse(meter.info()))
    device.apply_config(meter.config())
    device.apply_full_status(meter.full_status(), meter.now(), 0.0)
    if not isinstance(device.get(KEY), EmStatus):
        raise TypeError(f"{KEY} is no meter")
    return device
