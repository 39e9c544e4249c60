"""The `Idempotency-Key` of a command, and the claim made from it."""

import re
from typing import Annotated, Final

import msgspec
from fastapi import Depends, Header, Request

from shared.errors import Invalid
from shared.eventstore.claims import Claim
from shared.observability.access import route_template
from shared.security import Principal, authenticate

# Visible ASCII and inner spaces: what a header can carry unchanged. 255 has room for a UUID and a caller's own prefix.
_KEY: Final = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")


class CommandKey(msgspec.Struct, frozen=True):
    """A key that makes one command happen once.

    Attributes:
        scope: whose key it is and for which operation; the same key elsewhere is another key.
        key: what the caller chose.
        target: the concrete address of the request, part of what must be the same on a repetition.
    """

    scope: str
    key: str
    target: str

    @classmethod
    def of(cls, request: Request, principal: Principal) -> "CommandKey | None":
        """The key of this request, if it carries one; the plain function for hot paths.

        Raises:
            Invalid: the header is empty, too long, or holds more than visible ASCII.
        """
        given = request.headers.get("idempotency-key")
        if given is None:
            return None
        scope = request.scope
        operation = f"{scope['method']} {route_template(scope)}"
        return cls(
            _scope(principal, operation), _checked(given, "header Idempotency-Key"), scope["path"]
        )

    @classmethod
    def of_item(
        cls, principal: Principal, operation: str, key: str, *, field: str = "key"
    ) -> "CommandKey":
        """The key of one line of a batch; `operation` is a stable name such as `batch open`.

        Raises:
            Invalid: the key is empty, too long, or holds more than visible ASCII.
        """
        return cls(_scope(principal, operation), _checked(key, field), "")

    def claim(self, body: bytes) -> Claim:
        """What the store remembers: the key, and which request (address and body) it was used for."""
        return Claim.of(self.scope, self.key, self.target.encode() + b"\n" + body)


async def command_key(
    request: Request,
    _key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Makes the command happen once: a repetition gets the first answer, for good.",
        ),
    ] = None,
) -> CommandKey | None:
    """Dependency: the command's key, or `None`."""
    return CommandKey.of(request, await authenticate(request))


OptionalKey = Annotated[CommandKey | None, Depends(command_key)]
"""`key: OptionalKey` in a handler's signature."""


def _scope(principal: Principal, operation: str) -> str:
    return f"{principal.id}\x1f{operation}"


def _checked(key: str, field: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise Invalid.of(field, "expected 1 to 255 visible ASCII characters")
    return key
