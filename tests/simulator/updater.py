"""Firmware updates: what is on offer, and the progress of an installation."""

from functools import partial
from typing import TYPE_CHECKING

from tests.simulator import models
from tests.simulator.models import Firmware
from tests.simulator.rpc import IN_PROGRESS, RpcFault
from tests.simulator.wire import Json

if TYPE_CHECKING:
    from tests.simulator.device import VirtualDevice

STEPS = 10
STEP_S = 3.0
RESTART_S = 1.0


class Updater:
    """One device's way to a newer release."""

    def __init__(self, device: VirtualDevice) -> None:
        self._device = device
        self._target: Firmware | None = None

    def available(self) -> dict[str, Json]:
        """`sys.available_updates`."""
        offer = self._offer()
        return {} if offer is None else {"stable": {"version": offer.version}}

    def check(self) -> dict[str, Json]:
        """Shelly.CheckForUpdate."""
        offer = self._offer()
        if offer is None:
            return {}
        build = models.firmware_id(offer, self._device.model)
        return {"stable": {"version": offer.version, "build_id": build}}

    def start(self) -> None:
        """Install what is on offer and restart; RpcFault -106 while one runs. Without an offer nothing happens."""
        if self._target is not None:
            raise RpcFault(IN_PROGRESS, "Already in progress")
        self._target = self._offer()
        if self._target is not None:
            self._device.agenda.at(self._device.clock.now(), self._begin)

    def _offer(self) -> Firmware | None:
        newer = [release for release in models.RELEASES if release.number > self._device.firmware.number]
        return newer[-1] if newer else None

    def _begin(self) -> None:
        self._device.notify_event("sys", "ota_begin", msg="Update started")
        begin = self._device.clock.now()
        for step in range(1, STEPS):
            self._device.agenda.at(begin + step * STEP_S, partial(self._progress, step * 100 // STEPS))
        self._device.agenda.at(begin + STEPS * STEP_S, self._finish)

    def _progress(self, percent: int) -> None:
        self._device.notify_event("sys", "ota_progress", msg="Downloading", progress_percent=percent)

    def _finish(self) -> None:
        target, self._target = self._target, None
        self._device.notify_event("sys", "ota_success", msg="Update applied, restarting")
        if target is not None:
            self._device.change_firmware(target)
        self._device.reboot(RESTART_S)
