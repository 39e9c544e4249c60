"""The product's front door, as a program sees it: one address, a token, problems told in words."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import httpx2
import msgspec

_TIMEOUT_SECONDS = 30.0


class RequestRefused(Exception):
    """The product said no; `status` and the problem's words say why."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        words = problem.get("detail") or problem.get("title") or "no reason given"
        fields = "; ".join(
            f"{error.get('field')}: {error.get('message')}" for error in problem.get("errors", [])
        )
        super().__init__(f"{status}: {words}{f' ({fields})' if fields else ''}")
        self.status = status
        self.problem = problem


class FrontDoor:
    """Calls as one person or machine.

    Args:
        address: for example `http://127.0.0.1:8080`.
        token: a bearer token.
    """

    def __init__(self, address: str, token: str) -> None:
        self._client = httpx2.Client(
            base_url=address,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        version: int | None = None,
    ) -> dict[str, Any]:
        """The JSON of the answer ({} when it has none).

        Args:
            method: of HTTP.
            path: with its query.
            body: sent as JSON.
            key: the `Idempotency-Key`.
            version: what was looked at (`If-Match`).

        Raises:
            RequestRefused: any answer from 400 on.
            httpx2.TransportError: nobody answered.
        """
        headers = {"Idempotency-Key": key} if key else {}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        answer = self._client.request(method, path, json=body, headers=headers)
        is_json = "json" in answer.headers.get("content-type", "")
        content: dict[str, Any] = answer.json() if is_json and answer.content else {}
        if answer.is_error:
            raise RequestRefused(answer.status_code, content)
        return content

    def fetch(self, path: str) -> bytes:
        """A file, byte for byte.

        Raises:
            RequestRefused: any answer from 400 on.
            httpx2.TransportError: nobody answered.
        """
        answer = self._client.get(path)
        if answer.is_error:
            is_json = "json" in answer.headers.get("content-type", "")
            raise RequestRefused(answer.status_code, answer.json() if is_json else {})
        return answer.content

    def send(self, path: str, content: bytes, media_type: str) -> tuple[dict[str, Any], bool]:
        """POST bytes as they are; the JSON of the answer, and whether it repeats an earlier one.

        Raises:
            RequestRefused: any answer from 400 on.
            httpx2.TransportError: nobody answered.
        """
        answer = self._client.post(path, content=content, headers={"Content-Type": media_type})
        is_json = "json" in answer.headers.get("content-type", "")
        said: dict[str, Any] = answer.json() if is_json and answer.content else {}
        if answer.is_error:
            raise RequestRefused(answer.status_code, said)
        return said, answer.headers.get("idempotency-replayed") == "true"

    def lines(self, method: str, path: str, body: Any) -> Iterator[dict[str, Any]]:
        """The lines of an NDJSON answer as they come; between two of them any time may pass.

        Raises:
            RequestRefused: any answer from 400 on.
            httpx2.TransportError: nobody answered, or the answer was cut off.
        """
        timeout = httpx2.Timeout(_TIMEOUT_SECONDS, read=None)
        with self._client.stream(method, path, json=body, timeout=timeout) as answer:
            if answer.is_error:
                answer.read()
                is_json = "json" in answer.headers.get("content-type", "")
                raise RequestRefused(answer.status_code, answer.json() if is_json else {})
            for line in answer.iter_lines():
                if line.strip():
                    yield msgspec.json.decode(line, type=dict[str, Any])
