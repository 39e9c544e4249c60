"""The files of a mail: its attachments and the mail itself, as it came."""

import hashlib
from typing import Final

import msgspec

from services.intake.attachments import rules
from services.intake.attachments.store import AttachmentStore
from services.intake.channels.email_message import EmailMessage
from services.intake.domain import limits
from shared.events.messages import AttachedFile
from shared.identifiers import new_id

_CONTENT_ID_CHARS_MAX: Final = 255


class MailFile(msgspec.Struct, frozen=True):
    """A file with its bytes."""

    facts: AttachedFile
    content: bytes


def of_mail(message: EmailMessage, raw: bytes) -> list[MailFile]:
    """Every attachment and, last, the original. What is not kept by itself is named with the reason: it is in there."""
    found: list[MailFile] = []
    for place, one in enumerate(message.attachments, 1):
        if place >= limits.FILES_MAX:
            break
        name = rules.clean_name(one.name)
        facts = AttachedFile(
            id=new_id(),
            name=name,
            content_type=rules.clean_type(one.content_type),
            size=one.size,
            sha256=one.sha256,
            is_inline=one.inline,
            content_id=(one.content_id or "")[:_CONTENT_ID_CHARS_MAX] or None,
            withheld=rules.refusal(name),
        )
        found.append(MailFile(facts, one.content))
    original = AttachedFile(
        id=new_id(),
        name="original.eml",
        content_type="message/rfc822",
        size=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
        is_original=True,
    )
    return [*found, MailFile(original, raw)]


async def put_all(contents: AttachmentStore, files: list[MailFile]) -> None:
    """Store the bytes. Raises StoreIsAway."""
    for one in files:
        if one.facts.withheld is None:
            await contents.put(one.facts.sha256, one.content)
