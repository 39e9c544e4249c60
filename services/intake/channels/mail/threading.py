"""Which ticket a mail belongs to, and how our own mails say it. Mail in reads these signs, mail out writes them.

A mail out takes three things from here: `own_message_id` for its Message-ID, `with_token` for its Subject,
`plus_address` for its Reply-To. And it calls `remember` in the transaction of the event that it is sent for.

What counts, strongest first:

1. `In-Reply-To`, then `References` from the newest: one of our own ids (signed: no look-up is needed), or one in
   the table `mail_ids`, which holds every Message-ID that we saw or sent.
2. The token in the subject, `[#123-k7qx2mpa]`, or in the address, `help+123-k7qx2mpa@…`: signed, too.
3. The mail's own Message-ID, seen before, or a bare number, `[#123]`: believed only of the requester; ids can be
   seen elsewhere and numbers guessed.

None of these opens a ticket's contents to anybody: they say where a message goes, never who may read.
"""

import base64
import re
from collections.abc import Sequence
from typing import Final, Literal
from uuid import UUID

import msgspec

from services.intake.secrets import is_signature, signature
from shared.database import Transaction
from shared.identifiers import derived_id

Evidence = Literal["reference", "token", "same_id", "number"]

ONLY_OF_THE_REQUESTER: Final = frozenset({"same_id", "number"})
"""What anybody can write who has seen or guessed it."""

IDS_MAX: Final = 100
"""Ids looked up for one mail: a thread is found by any of its newest ones."""

_TOKENS_MAX: Final = 20
_SIGNATURE_BYTES: Final = 5
"""40 bits: a guess makes a flagged third party of the guesser and nothing more. And `In-Reply-To: <…@desk.example>`
stays on one line of 78: programs that fold ids, or encode them as if they were words, break the thread."""

# Lower case and base32, because servers on the way fold the case of ids and addresses.
_OWN_ID: Final = re.compile(r"([a-z2-7]{26})\.([a-z2-7]{8})([a-z2-7]{8})@", re.IGNORECASE)
_TOKEN: Final = re.compile(r"\[#(\d{1,18})-([a-z2-7]{8})\]", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\[#(\d{1,18})\]")
_PLUS: Final = re.compile(r"\+(\d{1,18})-([a-z2-7]{8})@", re.IGNORECASE)


class Clues(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail says about where it belongs.

    Attributes:
        message_ids: without brackets, the nearest first.
        own_id: the mail's own.
        subject: as people read it.
        addresses: where it was sent.
    """

    message_ids: Sequence[str] = ()
    own_id: str | None = None
    subject: str = ""
    addresses: Sequence[str] = ()


class Thread(msgspec.Struct, frozen=True):
    """The ticket that a mail names, and what says so."""

    ticket_id: UUID
    evidence: Evidence
    words: str
    """For people: `In-Reply-To or References name a message of the ticket`."""


def own_message_id(key: bytes, ticket_id: UUID, message_id: UUID, domain: str) -> str:
    """The Message-ID, without brackets, of the mail that carries this message out: the same each time it is asked.

    Args:
        key: `Secret("mail")`.
        ticket_id: the message's ticket.
        message_id: the message, as its event calls it.
        domain: of the installation; what is read is the part before it.
    """
    message = signature(key, "which", message_id, bytes_count=_SIGNATURE_BYTES)
    signed = signature(key, "message", ticket_id, message.hex(), bytes_count=_SIGNATURE_BYTES)
    return f"{_text(ticket_id.bytes)}.{_text(message)}{_text(signed)}@{domain}"


def read_own_message_id(key: bytes, text: str) -> UUID | None:
    """The ticket of an id that we made; None for everybody else's and for forged ones."""
    found = _OWN_ID.match(text)
    if found is None:
        return None
    ticket_id, message = UUID(bytes=_bytes(found[1])), _bytes(found[2])
    is_ours = is_signature(key, _bytes(found[3]), "message", ticket_id, message.hex())
    return ticket_id if is_ours else None


def token(key: bytes, number: int) -> str:
    """`123-k7qx2mpa`: a ticket's number that only we can have written."""
    signed = signature(key, "number", number, bytes_count=_SIGNATURE_BYTES)
    return f"{number}-{_text(signed)}"


def with_token(key: bytes, subject: str, number: int) -> str:
    """The subject with the ticket's token at its end, once."""
    mark = f"[#{token(key, number)}]"
    return subject if mark in subject else f"{subject} {mark}".lstrip()


def plus_address(key: bytes, address: str, number: int) -> str:
    """The address at which answers name the ticket: `help+123-k7qx2mpa@desk.example`."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{token(key, number)}@{domain}"


def without_plus(address: str) -> str:
    """The address as it is configured: in lower case and without what follows a `+`."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def remember(
    tx: Transaction, message_id: str, *, ticket_id: UUID, number: int, sender: str | None = None
) -> None:
    """From now on an answer to this Message-ID belongs to the ticket. The first ticket that had it keeps it.

    Args:
        tx: the transaction of the event that the mail is or is sent for.
        message_id: without brackets.
        ticket_id: the ticket.
        number: its number; its tokens are understood from now on.
        sender: who wrote, when it came in (see `guard`); None for mails of ours.
    """
    tx.cursor.execute(
        "INSERT INTO mail_ids (id, ticket_id, number, sender, recorded_at)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING",
        (_row_id(message_id), ticket_id, number, sender, tx.now),
    )


def find(tx: Transaction, key: bytes, clues: Clues) -> Thread | None:
    """The ticket that the mail names, merged or closed as it may be; None when it names none. One query at most."""
    ids = list(dict.fromkeys(clues.message_ids))[:IDS_MAX]
    own = {one: ticket_id for one in ids if (ticket_id := read_own_message_id(key, one))}
    signed = _signed_numbers(key, clues)
    bare = [int(one) for one in _NUMBER.findall(clues.subject)][:_TOKENS_MAX]
    asked = [one for one in ids if one not in own]
    if clues.own_id is not None:
        asked.append(clues.own_id)
    by_id, by_number = _look_up(tx, asked, [*signed, *bare])
    for one in ids:
        if ticket_id := own.get(one) or by_id.get(_row_id(one)):
            return Thread(ticket_id, "reference", "it answers a message of the ticket")
    for number in signed:
        if number in by_number:
            return Thread(by_number[number], "token", f"it carries the signed token of #{number}")
    if clues.own_id is not None and (ticket_id := by_id.get(_row_id(clues.own_id))):
        return Thread(ticket_id, "same_id", "its Message-ID was used on the ticket before")
    for number in bare:
        if number in by_number:
            return Thread(by_number[number], "number", f"the requester names #{number}")
    return None


def _signed_numbers(key: bytes, clues: Clues) -> list[int]:
    found = _TOKEN.findall(clues.subject)[:_TOKENS_MAX]
    for address in clues.addresses:
        found += _PLUS.findall(address)
    return [
        int(number)
        for number, signed in found[:_TOKENS_MAX]
        if is_signature(key, _bytes(signed), "number", int(number))
    ]


def _look_up(
    tx: Transaction, ids: Sequence[str], numbers: Sequence[int]
) -> tuple[dict[UUID, UUID], dict[int, UUID]]:
    if not ids and not numbers:
        return {}, {}
    tx.cursor.execute(
        "SELECT id, number, ticket_id FROM mail_ids WHERE id = ANY(%s)"
        " UNION ALL SELECT NULL, number, ticket_id FROM"
        " (SELECT DISTINCT number, ticket_id FROM mail_ids WHERE number = ANY(%s)) AS named",
        ([_row_id(one) for one in ids], list(numbers)),
    )
    by_id: dict[UUID, UUID] = {}
    by_number: dict[int, UUID] = {}
    for row in tx.cursor.fetchall():
        if row["id"] is None:
            by_number[row["number"]] = row["ticket_id"]
        else:
            by_id[row["id"]] = row["ticket_id"]
    return by_id, by_number


def _row_id(message_id: str) -> UUID:
    return derived_id("mail-id", message_id)


def _text(raw: bytes) -> str:
    return base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def _bytes(text: str) -> bytes:
    return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
