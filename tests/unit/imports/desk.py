"""A small product behind a transport: does lines once by key, in order, and fails when it is told to."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import msgspec

from deploy.imports.door import FrontDoor


class SmallDesk:
    """Remembers what it was told. `failures` are answered first, one a request; an exception is a broken line."""

    def __init__(self) -> None:
        self.done: dict[str, bytes] = {}
        self.order: list[str] = []
        self.requests: list[tuple[str, str, int]] = []
        self.failures: list[int | Exception] = []
        self.refuse: Callable[[dict[str, Any]], bool] = lambda _: False
        self.put_off: Callable[[dict[str, Any]], bool] = lambda _: False
        self.pages: dict[str, list[Any]] = {}
        self.pauses: list[float] = []

    def door(
        self,
        *,
        patience_seconds: float = 60.0,
        waiting: Callable[[float], Awaitable[None]] | None = None,
    ) -> FrontDoor:
        """`waiting`: how it pauses; without it not at all."""

        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)
            if waiting:
                await waiting(seconds)

        http = httpx2.AsyncClient(
            transport=httpx2.MockTransport(self._answer), base_url="http://desk"
        )
        return FrontDoor(http, patience_seconds=patience_seconds, pause=pause)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        lines = request.content.split(b"\n") if request.content else []
        self.requests.append((request.method, request.url.path, len(lines)))
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return httpx2.Response(failure, json={"title": "Down", "detail": "no database"})
        if request.url.path.endswith("/batch"):
            told = [self._do(place, line) for place, line in enumerate(lines)]
            return httpx2.Response(200, content=b"\n".join(map(msgspec.json.encode, told)))
        return self._page(request)

    def _do(self, place: int, line: bytes) -> dict[str, Any]:
        said = msgspec.json.decode(line)
        if self.put_off(said):
            return {"index": place, "status": 503, "problem": {"title": "Not yet"}}
        if self.refuse(said):
            problem = {"title": "Refused", "errors": [{"field": "priority", "message": "no"}]}
            return {"index": place, "status": 422, "problem": problem}
        is_known = said["key"] in self.done
        assert not is_known or self.done[said["key"]] == line, "the same key for another line"
        if not is_known:
            self.done[said["key"]] = line
            self.order.append(said["key"])
        return {"index": place, "status": 201, "replayed": is_known}

    def _page(self, request: httpx2.Request) -> httpx2.Response:
        left = self.pages.get(request.url.path)
        if left is None:
            return httpx2.Response(404, json={"title": "Not found"})
        content = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(content, str):
            return httpx2.Response(200, text=content)
        return httpx2.Response(200, json=content)
