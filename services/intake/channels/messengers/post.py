"""One HTTP request to a messenger, and what its answer means for the next attempt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec

from services.intake.channels.conversations.leaving import Enclosed, NotNow, Rejected

TIMEOUT_SECONDS: Final = 15.0
_ANSWER_CHARS_MAX: Final = 300
_TOO_MANY: Final = 429
_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500
_TIME_OUT: Final = 408
_REDIRECT: Final = 300

Answer = tuple[int, dict[str, Any], Mapping[str, str]]
"""Status, JSON and headers."""


class Poster:
    """Asks for JSON with JSON. Redirects and proxies of the environment are not followed."""

    def __init__(self) -> None:
        self._client = httpx2.AsyncClient(
            timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Status, JSON and headers of the answer.

        Raises:
            NotNow: nobody answered.
        """
        said = {"content-type": "application/json", **headers}
        return await self._ask("POST", url, headers=said, content=body)

    async def upload(
        self,
        url: str,
        field: str,
        file: Enclosed,
        path: Path,
        *,
        said: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> Answer:
        """The same with a file from disk, as a form that holds it as `field` (multipart/form-data). Raises NotNow."""
        with path.open("rb") as content:
            sent = {field: (file.name, content, file.content_type)}
            return await self._ask("POST", url, headers=headers, data=dict(said), files=sent)

    async def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        """The same without anything said. Raises NotNow."""
        return await self._ask("GET", url, headers=headers)

    async def _ask(
        self, method: str, url: str, *, headers: Mapping[str, str], **body: Any
    ) -> Answer:
        try:
            answer = await self._client.request(method, url, headers=dict(headers), **body)
        except httpx2.HTTPError as error:
            # Never the address: Telegram's has the token in it.
            raise NotNow(f"no answer: {type(error).__name__}") from None
        try:
            found = msgspec.json.decode(answer.content)
        except msgspec.DecodeError:
            found = {}
        return answer.status_code, found if isinstance(found, dict) else {}, answer.headers

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()


def check(status: int, reason: str, headers: Mapping[str, str]) -> None:
    """What an answer that is no success means.

    Raises:
        NotNow: too many, or the other side's fault.
        Rejected: this message will never be taken.
    """
    if status < _REDIRECT:
        return
    words = f"{status}: {reason[:_ANSWER_CHARS_MAX]}" if reason else str(status)
    wait = headers.get("retry-after", "")
    if status in {_TOO_MANY, _TIME_OUT} or status >= _SERVER_ERROR or status < _BAD_REQUEST:
        raise NotNow(words, float(wait) if wait.isdigit() else None)
    raise Rejected(words)
