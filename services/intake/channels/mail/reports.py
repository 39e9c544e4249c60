"""Delivery reports (RFC 3464), and the older notes that say the same in prose."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from services.intake.channels.mail import structure
from services.intake.channels.mail.headers import Headers, message_ids
from services.intake.channels.mail.structure import Part

RECIPIENTS_MAX: Final = 100
"""Failed recipients named; a message to more people than that is no reply of ours."""

REASON_CHARS_MAX: Final = 300

_PROSE_CHARS_MAX: Final = 20_000
_FAILED: Final = frozenset({"failed"})
_BACK_TO_SENDER: Final = re.compile(
    r"(?:mailer-daemon|postmaster|mail-daemon|mail\.daemon)(?:@|$)", re.IGNORECASE
)
_SUBJECT: Final = re.compile(
    r"undeliver|delivery (?:status notification|failure|notification|has failed)|mail delivery (?:failed|failure)|"
    r"returned mail|failure notice|delivery failed|message not delivered|nicht zugestellt|unzustellbar|"
    r"non remis|no se (?:ha )?(?:pudo|podido) entregar|не доставлен|недоставлен",
    re.IGNORECASE,
)
_ID_IN_PROSE: Final = re.compile(
    r"^[ \t>]{0,20}message-id[ \t]*:[ \t]*(<[^<>\s]{1,998}>)", re.IGNORECASE | re.MULTILINE
)


class Bounce(msgspec.Struct, frozen=True):
    """A message of ours that did not arrive.

    Attributes:
        original_message_id: its Message-ID without brackets; None when the report does not hold it.
        failed_recipients: addresses that were not reached, as far as the report names them.
        reason: why, in the words of the server that said so; None when the report does not tell.
    """

    original_message_id: str | None
    failed_recipients: list[str]
    reason: str | None = None


def bounce_in(root: Part, text: str, from_address: str | None) -> Bounce | None:
    """What failed, if the message says that something failed; None for delays, receipts and everything else.

    Args:
        root: the whole message.
        text: its readable text.
        from_address: who sent it.
    """
    parts = list(_walk(root))
    statuses = [part for part in parts if part.content_type == "message/delivery-status"]
    if statuses:
        failed = [address for part in statuses for address in _failed(part)]
        if not failed and any(_says_action(part) for part in statuses):
            # Delayed, relayed, delivered: nothing came back.
            return None
        reason = next((why for part in statuses for why in _reasons(part)), None)
        return Bounce(_original(parts) or _in_prose(text), failed[:RECIPIENTS_MAX], reason)
    reported = root.content_type == "multipart/report"
    kind = root.parameters.get("report-type", "").lower()
    if reported and kind == "disposition-notification":
        return None
    failed = [
        word
        for word in re.split(r"[\s,]+", root.headers.text("x-failed-recipients"))
        if "@" in word
    ]
    by_daemon = _BACK_TO_SENDER.match(from_address or "") is not None
    if (
        (reported and kind == "delivery-status")
        or failed
        or (by_daemon and _SUBJECT.search(root.headers.text("subject")))
    ):
        return Bounce(_original(parts) or _in_prose(text), failed[:RECIPIENTS_MAX])
    return None


def _walk(part: Part) -> Iterator[Part]:
    yield part
    for child in part.children:
        yield from _walk(child)


def _failed(part: Part) -> Iterator[str]:
    for block in structure.blocks(part.content):
        action = re.match(r"[a-z]*", block.text("action").lower())
        recipient = block.text("final-recipient") or block.text("original-recipient")
        if action and action[0] in _FAILED and recipient:
            yield recipient.partition(";")[2].strip() or recipient


def _reasons(part: Part) -> Iterator[str]:
    """Diagnostic-Code without its type (RFC 3464, 2.3.6), else Status, of what has failed."""
    for block in structure.blocks(part.content):
        if block.text("action").lower().startswith("failed"):
            told = block.text("diagnostic-code")
            said = told.partition(";")[2].strip() or told or block.text("status")
            if said:
                yield " ".join(said.split())[:REASON_CHARS_MAX]


def _says_action(part: Part) -> bool:
    return any("action" in block for block in structure.blocks(part.content))


def _original(parts: list[Part]) -> str | None:
    """The Message-ID of the message that came back, whole or as its header only."""
    for part in parts[1:]:
        if part.content_type in {
            "message/rfc822",
            "message/global",
            "text/rfc822-headers",
            "message/rfc822-headers",
        }:
            found = _id_of(structure.header_block(part.content))
            if found:
                return found
    return None


def _id_of(headers: Headers) -> str | None:
    return next(iter(message_ids(headers.undecoded("message-id"))), None)


def _in_prose(text: str) -> str | None:
    found = _ID_IN_PROSE.search(text[:_PROSE_CHARS_MAX])
    return message_ids(found[1])[0] if found else None
