"""What a message carries beside its words: files, and the headers of a mail."""

from typing import Final
from uuid import UUID

import msgspec

PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"})
"""Media types that a browser shows and that hold no script. SVG does."""


class AttachedFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that came with a message; its bytes are in the store of attachments under their hash.

    Attributes:
        id: of this file on this ticket; its address is `/v1/tickets/{ticket_id}/attachments/{id}`.
        name: for people; without folders and control characters.
        content_type: as the sender declared it, which proves nothing.
        size: bytes.
        sha256: of the bytes, hexadecimal.
        is_inline: the sender showed it between the words.
        content_id: what the HTML of the mail calls it, without brackets.
        is_original: the whole mail as it came; only people who work here may fetch it.
        withheld: why it was not kept by itself; of a mail it is only in the original then.
    """

    id: UUID
    name: str
    content_type: str
    size: int
    sha256: str
    is_inline: bool = False
    content_id: str | None = None
    is_original: bool = False
    withheld: str | None = None


class Prepared(msgspec.Struct, frozen=True, omit_defaults=True):
    """A prepared text or an article that went into a reply.

    Attributes:
        kind: `answer` or `article`.
        name: of the document. `version`: as it was then.
    """

    kind: str
    name: str
    version: int = 0


class MailHeaders(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an answer to a mail needs to know of it.

    Attributes:
        message_id: without brackets.
        references: ids of the thread before it, oldest first, the newest ones if there are many.
        sender: the address that wrote.
        reply_to: where the author wants the answer, if elsewhere.
        to, cc: the others it went to, our own addresses left out.
        mailbox: the name of our mailbox that it came through.
        no_answer_reason: why no program may answer it (RFC 3834).
    """

    message_id: str | None = None
    references: tuple[str, ...] = ()
    sender: str | None = None
    reply_to: str | None = None
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    mailbox: str | None = None
    no_answer_reason: str | None = None
