"""What tests and the demo ask of a running Home Assistant, through the REST and WebSocket APIs its own pages use."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode

import aiohttp

from tests.stack.hass_socket import HassError, HassSocket
from tests.stack.processes import StackError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping


HEALTH_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """An entity's state as Home Assistant shows it; `updated` in Unix seconds."""

    entity_id: str
    state: str
    attributes: dict[str, Any]
    updated: float

    @property
    def known(self) -> bool:
        """Whether there is a value at all."""
        return self.state not in {"unknown", "unavailable"}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read the form of the WebSocket API."""
        return cls(
            entity_id=data["entity_id"],
            state=data["state"],
            attributes=data["attributes"],
            updated=datetime.fromisoformat(data["last_updated"]).timestamp(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStep:
    """Where a config flow stands: a form to fill (with errors), an abort (with a reason) or a new entry."""

    flow_id: str
    kind: str
    step: str | None
    fields: tuple[str, ...]
    errors: dict[str, str]
    reason: str | None
    entry: dict[str, Any] | None
    placeholders: dict[str, str]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read the form of `/api/config/config_entries/flow`."""
        return cls(
            flow_id=data["flow_id"],
            kind=data["type"],
            step=data.get("step_id"),
            fields=tuple(field["name"] for field in data.get("data_schema") or ()),
            errors=data.get("errors") or {},
            reason=data.get("reason"),
            entry=data.get("result"),
            placeholders=data.get("description_placeholders") or {},
        )


class HassClient:
    """A logged-in administrator with a live mirror of all states; made by `connect`."""

    def __init__(self, session: aiohttp.ClientSession, socket: HassSocket, base_url: str, token: str) -> None:
        self.base_url = base_url
        self.token = token
        self.socket = socket
        self.states: dict[str, State] = {}
        self._session = session
        self._changed = asyncio.Event()

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, base_url: str, token: str) -> AsyncIterator[Self]:
        """Connect with a long-lived token; the mirror is complete when this returns."""
        async with aiohttp.ClientSession() as session, HassSocket(session, base_url, token) as socket:
            client = cls(session, socket, base_url, token)
            await socket.subscribe("subscribe_events", client._on_state_changed, event_type="state_changed")
            for data in await socket.command("get_states"):
                state = State.from_json(data)
                client.states.setdefault(state.entity_id, state)
            yield client

    async def rest(self, method: str, path: str, payload: Any = None) -> Any:
        """Call the REST API and return its JSON answer; StackError with the text of a refusal."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self._session.request(method, self.base_url + path, json=payload, headers=headers) as response:
            if not response.ok:
                raise StackError(f"{method} {path} answered {response.status}: {await response.text()}")
            return await response.json()

    async def get(self, path: str, *, token: bool = True) -> tuple[int, str, Mapping[str, str]]:
        """GET any path and return status, text and headers (names in any case), refusals too; `token`: logged in."""
        headers = {"Authorization": f"Bearer {self.token}"} if token else {}
        async with self._session.get(self.base_url + path, headers=headers) as response:
            return response.status, await response.text(), response.headers

    async def wait_for(self, holds: Callable[[], bool], deadline_s: float, what: str) -> float:
        """Return the seconds until `holds` (asked again after each change of state); StackError when it does not."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while not holds():
            self._changed.clear()
            try:
                async with asyncio.timeout_at(begun + deadline_s):
                    await self._changed.wait()
            except TimeoutError as error:
                raise StackError(f"{what}: not within {deadline_s:g} s") from error
        return loop.time() - begun

    async def wait_for_state(self, entity_id: str, state: str, deadline_s: float = 10.0) -> float:
        """Return the seconds until `entity_id` shows `state`."""

        def holds() -> bool:
            return entity_id in self.states and self.states[entity_id].state == state

        try:
            return await self.wait_for(holds, deadline_s, f"{entity_id} is {state}")
        except StackError as error:
            raise StackError(f"{error} (it is {self.states.get(entity_id)})") from error

    async def call_service(self, service: str, entity_ids: str | Iterable[str] = (), **data: Any) -> None:
        """Call `domain.service` on entities; returns when Home Assistant reports it done."""
        domain, name = service.split(".")
        target = {"entity_id": [entity_ids] if isinstance(entity_ids, str) else list(entity_ids)}
        await self.socket.command("call_service", domain=domain, service=name, service_data=data, target=target)

    async def start_flow(self, domain: str) -> FlowStep:
        """Begin a config flow as the user interface does."""
        return FlowStep.from_json(
            await self.rest(
                "POST", "/api/config/config_entries/flow", {"handler": domain, "show_advanced_options": True}
            )
        )

    async def submit(self, step: FlowStep, answers: dict[str, Any]) -> FlowStep:
        """Fill the form of `step` and return the next one."""
        path = f"/api/config/config_entries/flow/{step.flow_id}"
        return FlowStep.from_json(await self.rest("POST", path, answers))

    async def set_up(self, domain: str, *answers: dict[str, Any]) -> dict[str, Any]:
        """Walk a config flow with one answer per form and return the new entry; StackError with what the flow said."""
        step = await self.start_flow(domain)
        for answer in answers:
            if step.kind != "form":
                break
            step = await self.submit(step, answer)
            if step.errors:
                break
        if step.entry is None:
            said = step.errors or step.reason or f"it asks for {step.step}: {', '.join(step.fields)}"
            raise StackError(f"The config flow of {domain} made no entry: {said}")
        return step.entry

    async def progressed(self, step: FlowStep, deadline_s: float) -> FlowStep:
        """Return what a flow comes to that shows its progress now; StackError if it still does after `deadline_s`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        while step.kind in {"progress", "progress_done"}:
            if loop.time() > end:
                raise StackError(f"The flow is still at {step.step} after {deadline_s:g} s")
            await asyncio.sleep(0.5)
            step = FlowStep.from_json(await self.rest("GET", f"/api/config/config_entries/flow/{step.flow_id}"))
        return step

    async def flows_in_progress(self) -> list[dict[str, Any]]:
        """Return the unfinished config flows that nobody has begun by hand, with `handler`, `step_id`, `context`."""
        found: list[dict[str, Any]] = await self.socket.command("config_entries/flow/progress")
        return found

    async def entries(self, domain: str) -> list[dict[str, Any]]:
        """Return the config entries of `domain` with `entry_id`, `title`, `state`, `reason`."""
        found: list[dict[str, Any]] = await self.socket.command("config_entries/get", domain=domain)
        return found

    async def remove_entry(self, entry_id: str) -> None:
        """Delete a config entry."""
        await self.rest("DELETE", f"/api/config/config_entries/entry/{entry_id}")

    async def reload_entry(self, entry_id: str) -> None:
        """Unload and set up a config entry."""
        await self.rest("POST", f"/api/config/config_entries/entry/{entry_id}/reload")

    async def entities(self, platform: str) -> list[dict[str, Any]]:
        """Return the entity registry's entries of `platform`, disabled ones included."""
        found = await self.socket.command("config/entity_registry/list")
        return [entity for entity in found if entity["platform"] == platform]

    async def disable_entity(self, entity_id: str, disabled: bool) -> None:
        """Disable an entity, or enable it: then its entry is reloaded by itself, 30 s later."""
        change = {"entity_id": entity_id, "disabled_by": "user" if disabled else None}
        await self.socket.command("config/entity_registry/update", **change)

    async def devices(self) -> list[dict[str, Any]]:
        """Return the device registry."""
        found: list[dict[str, Any]] = await self.socket.command("config/device_registry/list")
        return found

    async def statistics(self, ids: Iterable[str], start: datetime, period: str = "5minute") -> dict[str, Any]:
        """Return statistics rows by id since `start`."""
        found: dict[str, Any] = await self.socket.command(
            "recorder/statistics_during_period", start_time=start.isoformat(), statistic_ids=list(ids), period=period
        )
        return found

    async def states_history(self, entity_ids: Iterable[str], since: datetime) -> dict[str, list[State]]:
        """Return each entity's recorded states in order, attributes included; an entity without any is missing.

        The first one is what held at `since`, with `since` as its `updated`. What is newer than the recorder's last
        commit is missing: wait for it.
        """
        ids, end = ",".join(entity_ids), datetime.now(UTC) + timedelta(days=1)
        query = {"filter_entity_id": ids, "end_time": end.isoformat(), "significant_changes_only": "0"}
        path = f"/api/history/period/{quote(since.astimezone(UTC).isoformat())}?{urlencode(query)}"
        states = [list(map(State.from_json, rows)) for rows in await self.rest("GET", path)]
        return {rows[0].entity_id: rows for rows in states if rows}

    async def issues(self) -> list[dict[str, Any]]:
        """Return the repairs that Home Assistant asks for, with `domain`, `issue_id`, `severity`, `translation_key`."""
        found: list[dict[str, Any]] = (await self.socket.command("repairs/list_issues"))["issues"]
        return found

    async def diagnostics(self, entry_id: str) -> dict[str, Any]:
        """Return the file that the user downloads for a config entry; what the integration says is under `data`."""
        found: dict[str, Any] = await self.rest("GET", f"/api/diagnostics/config_entry/{entry_id}")
        return found

    async def system_health(self) -> dict[str, dict[str, Any]]:
        """Return what each domain tells about its health, complete; what it failed to find out is `{"error": …}`."""
        health: dict[str, dict[str, Any]] = {}
        finished = asyncio.Event()

        def collect(event: dict[str, Any]) -> None:
            match event["type"]:
                case "initial":
                    health.update({domain: told["info"] for domain, told in event["data"].items()})
                case "update":
                    answer = event["data"] if event["success"] else {"error": event["error"]}
                    health[event["domain"]][event["key"]] = answer
                case "finish":
                    finished.set()

        number = await self.socket.subscribe("system_health/info", collect)
        try:
            async with asyncio.timeout(HEALTH_S):
                await finished.wait()
        except TimeoutError as error:
            raise StackError(f"Home Assistant's system health is not complete within {HEALTH_S:g} s") from error
        finally:
            await self.socket.unsubscribe(number)
        return health

    async def check_pages(self) -> None:
        """StackError when the pages would load for ever, which they do without the list of actions."""
        try:
            await self.socket.command("get_services")
        except HassError as error:
            raise StackError(
                "Home Assistant's pages cannot load, because a Python package of its base components is missing: "
                "run scripts/setup; Home Assistant's log names the package"
            ) from error

    async def save_dashboard(self, config: dict[str, Any], url_path: str, icon: str) -> None:
        """Store a Lovelace configuration, titled by its `title`, and make it the first page that everybody sees."""
        if url_path not in {board["url_path"] for board in await self.socket.command("lovelace/dashboards/list")}:
            about = {"title": config["title"], "icon": icon, "url_path": url_path, "allow_single_word": True}
            await self.socket.command("lovelace/dashboards/create", **about)
        await self.socket.command("lovelace/config/save", config=config, url_path=url_path)
        first = {"default_panel": url_path}
        await self.socket.command("frontend/set_system_data", key="core", value=first)

    async def save_energy_preferences(self, preferences: dict[str, Any]) -> None:
        """Store the settings of the energy page."""
        await self.socket.command("energy/save_prefs", **preferences)

    def _on_state_changed(self, event: dict[str, Any]) -> None:
        data = event["data"]
        if data["new_state"] is None:
            self.states.pop(data["entity_id"], None)
        else:
            self.states[data["entity_id"]] = State.from_json(data["new_state"])
        self._changed.set()
