"""The control API on loopback: what tests and the demo ask of the simulated world; README.md documents it."""

from collections.abc import Awaitable, Callable
from typing import Any

import voluptuous as vol
from aiohttp import web

from tests.simulator import frames
from tests.simulator.faults import FaultError
from tests.simulator.relay import PUSHES
from tests.simulator.rpc import RpcFault
from tests.simulator.unit import Unit

ACTIONS = ("on", "off", "toggle", *PUSHES)

_NUMBER = vol.All(vol.Any(int, float), vol.Coerce(float))
_LOAD = vol.Schema(
    {
        vol.Required("phase"): vol.In(["a", "b", "c"]),
        vol.Required("power_w"): _NUMBER,
        vol.Optional("pf", default=1.0): vol.All(_NUMBER, vol.Range(min=0.01, max=1)),
        vol.Optional("name", default="test"): vol.All(str, vol.Length(min=1)),
    }
)
_INPUT = vol.Schema({vol.Required("id"): int, vol.Required("action"): vol.In(ACTIONS)})
_SWITCH = vol.Schema({vol.Required("id"): int, vol.Required("on"): bool})
_FAULT = vol.Schema(
    {vol.Required("kind"): str, vol.Optional("seconds"): vol.All(_NUMBER, vol.Range(min=0))}, extra=vol.ALLOW_EXTRA
)
_CADENCE = vol.Schema({vol.Required("seconds"): vol.Any(None, vol.All(_NUMBER, vol.Range(min=0.1)))})

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """The routes over `units`, by device id."""

    def __init__(self, units: dict[str, Unit]) -> None:
        self._units = units
        self.app = web.Application(middlewares=[_explain])
        self.app.add_routes(
            [
                web.get("/devices", self._list),
                web.get("/devices/{id}", self._one),
                web.get("/devices/{id}/state", self._state),
                web.get("/devices/{id}/ledger", self._ledger),
                web.get("/devices/{id}/told", self._told),
                web.post("/devices/{id}/load", self._load),
                web.post("/devices/{id}/input", self._input),
                web.post("/devices/{id}/switch", self._switch),
                web.post("/devices/{id}/fault", self._inject),
                web.delete("/devices/{id}/fault", self._clear),
                web.post("/devices/{id}/cadence", self._cadence),
            ]
        )

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response([unit.as_json() for unit in self._units.values()])

    async def _one(self, request: web.Request) -> web.Response:
        return web.json_response(self._unit(request).as_json())

    async def _state(self, request: web.Request) -> web.Response:
        device = self._unit(request).device
        ts = _time(request, "ts", device.clock.now())
        return _json({"ts": ts, "true": device.truth(ts), "reported": device.ledger.reported})

    async def _ledger(self, request: web.Request) -> web.Response:
        return _json(self._unit(request).device.ledger.read(_time(request, "since", 0.0)))

    async def _told(self, request: web.Request) -> web.Response:
        told = self._unit(request).device.ledger.told(_time(request, "since", 0.0))
        return web.Response(text=told, content_type="application/json")

    async def _load(self, request: web.Request) -> web.Response:
        device = self._unit(request).device
        body = _LOAD(await _body(request))
        device.set_load(body["phase"], power_w=body["power_w"], pf=body["pf"], name=body["name"])
        return web.json_response(body)

    async def _input(self, request: web.Request) -> web.Response:
        device = self._unit(request).device
        body = _INPUT(await _body(request))
        device.press_input(body["id"], body["action"])
        return web.json_response(body)

    async def _switch(self, request: web.Request) -> web.Response:
        device = self._unit(request).device
        body = _SWITCH(await _body(request))
        if body["id"] not in range(relays := device.model.relays):
            raise ValueError(f"There is no relay {body['id']}: {device.id} has {relays}, counted from 0")
        device.set_switch(body["id"], body["on"], "button")
        return web.json_response(body)

    async def _inject(self, request: web.Request) -> web.Response:
        faults = self._unit(request).device.faults
        body = _FAULT(await _body(request))
        kind, seconds = body.pop("kind"), body.pop("seconds", None)
        return web.json_response(faults.inject(kind, seconds, **body).as_json())

    async def _clear(self, request: web.Request) -> web.Response:
        faults = self._unit(request).device.faults
        faults.clear(request.query.get("kind"))
        return web.json_response(faults.active())

    async def _cadence(self, request: web.Request) -> web.Response:
        device = self._unit(request).device
        body = _CADENCE(await _body(request))
        device.cadence_s = body["seconds"]
        return web.json_response(body)

    def _unit(self, request: web.Request) -> Unit:
        if (unit := self._units.get(request.match_info["id"])) is None:
            raise _UnknownDeviceError(request.match_info["id"], self._units)
        return unit


class _UnknownDeviceError(LookupError):
    def __init__(self, wanted: str, units: dict[str, Unit]) -> None:
        super().__init__(f"There is no device {wanted!r}: use one of {', '.join(units)} (GET /devices)")


@web.middleware
async def _explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except _UnknownDeviceError as error:
        return web.json_response({"error": str(error)}, status=404)
    except vol.Invalid as error:
        path = ".".join(map(str, error.path))
        text = f"{path + ': ' if path else ''}{error.msg}; README.md lists the fields of {request.path}"
        return web.json_response({"error": text}, status=400)
    except (frames.BadFrameError, FaultError, RpcFault, ValueError, LookupError) as error:
        return web.json_response({"error": str(error)}, status=400)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        return frames.read_object(await request.read())
    except frames.BadFrameError as error:
        raise frames.BadFrameError(f"the body is {error}: send a JSON object") from error


def _time(request: web.Request, name: str, default: float) -> float:
    text = request.query.get(name)
    try:
        return default if text is None else float(text)
    except ValueError as error:
        raise ValueError(f"{name}={text}: give Unix seconds") from error


def _json(value: Any) -> web.Response:
    return web.Response(text=frames.text(value), content_type="application/json")
