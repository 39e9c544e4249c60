"""A request that changes a document: who asks, which version they saw, and that it happens once."""

from typing import Annotated, TypeVar

from fastapi import Depends, Request

from shared.eventstore.claims import Claim
from shared.http.bodies import read_json
from shared.http.conditional import ExpectedVersion
from shared.http.idempotency import OptionalKey
from shared.http.origin import RequestOrigin

B = TypeVar("B")


class _Change:
    """What such a request says beside its body.

    Attributes:
        origin: who asks, through what. `expected`: the version that was seen; None when it does not matter.
    """

    def __init__(
        self,
        request: Request,
        origin: RequestOrigin,
        expected: ExpectedVersion,
        key: OptionalKey,
    ) -> None:
        self.origin = origin
        self.expected = expected
        self._request = request
        self._key = key

    async def read(self, shape: type[B]) -> B:
        """The body. Raises Invalid: it is not of this shape."""
        return await read_json(self._request, shape)

    async def claim(self) -> Claim | None:
        """What makes it happen once, if the request carries a key."""
        return self._key.claim(await self._request.body()) if self._key else None


Change = Annotated[_Change, Depends(_Change)]
"""`change: Change` in a handler's signature."""
