"""Whether this process lives, has started, and can be given work."""

from collections.abc import Collection
from threading import Lock
from typing import Any, Final

import msgspec
import structlog
from fastapi import APIRouter, Response

from shared.http.bodies import json_answer

log = structlog.get_logger(__name__)

_UNAVAILABLE: Final = 503
_STARTING: Final = "start-up to complete"


class Condition(msgspec.Struct, frozen=True):
    """What a part last said about itself."""

    ok: bool
    detail: str = ""
    gates: bool = True


class HealthState:
    """What the parts of a service report, one named condition each; safe to call from any thread.

    Args:
        expects: conditions that must be reported good before the service is ready.
    """

    def __init__(self, expects: Collection[str] = ()) -> None:
        self._lock = Lock()
        self._conditions = {
            name: Condition(ok=False, detail="not reported yet") for name in expects
        }
        self._has_started = False
        self._is_draining = False

    def set(self, name: str, ok: bool, detail: str = "", *, gates: bool = True) -> None:
        """Report a condition. `gates=False`: only said, does not make the service unready (Redis is away)."""
        condition = Condition(ok, detail, gates)
        with self._lock:
            before = self._conditions.get(name)
            self._conditions[name] = condition
        if before is not None and before.ok != ok:
            log.info("condition_changed", condition=name, ok=ok, detail=detail)

    def started(self) -> None:
        """Start-up is complete: servers were reached, migrations applied."""
        self._has_started = True

    def drain(self) -> None:
        """No new work from now on; `/readyz` says 503 until the process ends."""
        self._is_draining = True

    @property
    def has_started(self) -> bool:
        """Whether start-up is complete."""
        return self._has_started

    @property
    def is_ready(self) -> bool:
        """Started, not draining, and no gating condition is bad or still awaited."""
        return not self._is_draining and not self.waiting_for()

    def waiting_for(self) -> list[str]:
        """What is missing, one phrase each: `kafka: no broker answers`."""
        missing = [
            f"{name}: {condition.detail or 'not good'}"
            for name, condition in self.conditions().items()
            if condition.gates and not condition.ok
        ]
        return missing if self._has_started else [_STARTING, *missing]

    def conditions(self) -> dict[str, Condition]:
        """What every part last said, sorted by name."""
        with self._lock:
            return dict(sorted(self._conditions.items()))

    def report(self) -> dict[str, Any]:
        """The body of `/readyz`."""
        status = "draining" if self._is_draining else "ready" if self.is_ready else "waiting"
        return {
            "status": status,
            "waits_for": self.waiting_for(),
            "conditions": self.conditions(),
        }


def health_router(state: HealthState) -> APIRouter:
    """`/livez`, `/readyz`, `/startupz`."""
    router = APIRouter(tags=["health"])

    @router.get("/livez", summary="Whether the process answers; looks at nothing else.")
    async def livez() -> Response:
        return json_answer({"status": "alive"})

    @router.get("/readyz", summary="Whether it can be given work; if not, what it waits for.")
    async def readyz() -> Response:
        return _answer(state.report(), ok=state.is_ready)

    @router.get("/startupz", summary="Whether start-up is complete.")
    async def startupz() -> Response:
        has_started = state.has_started
        waits_for = [] if has_started else state.waiting_for()
        report = {"status": "started" if has_started else "starting", "waits_for": waits_for}
        return _answer(report, ok=has_started)

    return router


def _answer(report: dict[str, Any], *, ok: bool) -> Response:
    if ok:
        return json_answer(report)
    return json_answer(report, status=_UNAVAILABLE, headers={"Retry-After": "1"})
