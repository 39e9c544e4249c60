"""What comes over a chat's socket: one JSON object a frame, told apart by `type`."""

from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
from msgspec import Meta

from shared.http.bodies import decode_json

TEXT_CHARS_MAX = 4_000
"""A chat is written in sentences; what is longer is a file or a mail."""

FRAME_BYTES_MAX = 32_768
"""A text of that many characters in the widest script, escaped, and what is around it."""


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """The first frame of a visitor: who it is, and what it has already.

    Attributes:
        session: of an earlier `welcome`. `identity`: a token in which the site signs who the visitor is.
        after: the last sequence that the page has; what came behind it follows.
        name, email: what an anonymous visitor says of itself. `page`: where it is.
    """

    session: Annotated[str, Meta(max_length=200)] | None = None
    identity: Annotated[str, Meta(max_length=8_192)] | None = None
    after: Annotated[int, Meta(ge=0)] = 0
    name: Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=200)] | None = None
    email: Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)] | None = None
    page: Annotated[str, Meta(max_length=2_000)] | None = None


class About(msgspec.Struct, frozen=True, kw_only=True, tag="about"):
    """What an anonymous visitor says of itself later: where an answer reaches it."""

    name: Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=200)] | None = None
    email: Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)] | None = None


class Say(msgspec.Struct, frozen=True, kw_only=True, tag="message"):
    """A message. `id` is made by the page, and the same when it is sent again."""

    id: UUID
    text: Annotated[str, Meta(pattern=r"\S", max_length=TEXT_CHARS_MAX)]


class Typing(msgspec.Struct, frozen=True, tag="typing"):
    """Somebody types; said every few seconds while it lasts."""


class End(msgspec.Struct, frozen=True, tag="end"):
    """That was all."""


FromVisitor = Hello | About | Say | Typing | End
FromAgent = Say | Typing | End


def read_visitors(text: str) -> FromVisitor:
    """A visitor's frame. Raises Invalid, NotJson."""
    frame: FromVisitor = decode_json(text.encode(), cast(Any, FromVisitor))
    return frame


def read_agents(text: str) -> FromAgent:
    """An agent's frame. Raises Invalid, NotJson."""
    frame: FromAgent = decode_json(text.encode(), cast(Any, FromAgent))
    return frame
