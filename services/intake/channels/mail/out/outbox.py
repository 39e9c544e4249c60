"""The outbox of mails: written with the event, taken by one sender at a time, kept until it is known what became of it.

waiting → claimed → sent | dead; claimed → waiting when it failed for now, or when whoever had it has died. A mail has
the same Message-ID and the same bytes each time. One whose sender died while handing it over is in doubt: it may have
arrived, so a person decides, and nothing is sent twice by itself.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from services.intake.channels.mail.mailboxes import Mailboxes
from services.intake.channels.mail.threading import own_message_id, remember
from services.intake.domain import Ticket
from services.intake.domain.survey_policy import SurveyPolicy
from services.intake.outgoing import Reader, Standing
from services.intake.secrets import Secret
from shared.database import Transaction
from shared.events import Channel
from shared.events.satisfaction import SatisfactionOffered
from shared.events.steps import NoticeRequested
from shared.events.tickets import AgentReplied, TicketOpened
from shared.identifiers import derived_id, new_id

Kind = Literal["reply", "acknowledgement", "survey", "notice"]
State = Literal["waiting", "claimed", "sent", "dead", "discarded"]

LISTED_MAX: Final = 500

LOOKED_AT_MAX: Final = 1_000
"""Due mails among which a claim chooses; after an outage there may be many more."""

_ITEM: Final = (
    "o.id, o.ticket_id, o.number, o.version, o.message_id, o.kind, o.mail_id, o.recipient, o.attempts, o.created_at,"
    " o.give_up_at, o.reached, o.claim_id, o.claimed_until, o.is_handing_over AS is_in_doubt"
)
_ROW: Final = (
    "id, ticket_id, number, message_id, kind, mail_id, recipient, state, attempts, next_attempt_at,"
    " created_at, finished_at, reached, failed, last_error, last_code, decided_by"
)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A claimed mail.

    Attributes:
        version: of the event that it is about; what came later is no part of the mail.
        message_id: the reply, the customer's message that is acknowledged, the question's id or the notice's.
        recipient: of a notice, whom it shall reach; of all others the requester's address when it was put in.
        give_up_at: when trying ends; None: it was never tried.
        reached: who has it already, from an earlier attempt.
        claim_id: only who knows it may say what became of the mail.
        is_in_doubt: whoever had it before died while handing it over.
    """

    id: UUID
    ticket_id: UUID
    number: int
    version: int
    message_id: UUID
    kind: Kind
    mail_id: str
    recipient: str
    attempts: int
    created_at: datetime
    give_up_at: datetime | None
    reached: tuple[str, ...]
    claim_id: UUID
    claimed_until: datetime
    is_in_doubt: bool


class Pacing(msgspec.Struct, frozen=True, kw_only=True):
    """How many acknowledgements one address gets within a stretch of time."""

    count_max: int
    within: timedelta


class MailOutbox:
    """Takes what is to leave by mail; one of the channels behind `outgoing.Outgoing`.

    Args:
        mailboxes: ours; the first one's domain names our Message-IDs unless `domain` does.
        domain: of Message-IDs.
        pacing: of acknowledgements.

    Raises:
        ValueError: there is neither a mailbox nor a domain.
    """

    name = "email"

    def __init__(self, mailboxes: Mailboxes, *, domain: str | None, pacing: Pacing) -> None:
        if not mailboxes.all:
            raise ValueError("mail out needs TICKETING_MAILBOXES_FILE: nobody could answer")
        self._domain = domain or mailboxes.all[0].addresses[0].rpartition("@")[2]
        self._mailboxes = mailboxes
        self._pacing = pacing
        self._secret = Secret("mail")

    def takes(self, reader: Reader) -> bool:
        """Mail answers mail, reaches whom an agent writes to first, and those who have nothing but an address."""
        if (
            reader.requester.email is None
            or reader.via is Channel.IMPORT
            or self._mailboxes.is_ours(reader.requester.email)
        ):
            return False
        return (
            reader.via is Channel.EMAIL
            or reader.is_outbound
            or reader.requester.id.startswith("mailto:")
        )

    def put(self, tx: Transaction, ticket: Ticket, event: AgentReplied | TicketOpened) -> None:
        """See `Outgoing`: two inserts."""
        self._put(tx, ticket, event.message_id, "reply", event.message_id, event.version)

    def standing(self, tx: Transaction) -> Standing:
        """See `Outgoing`."""
        return Standing.read(tx, "mail_outbox")

    def ask(
        self,
        tx: Transaction,
        ticket: Ticket,
        event: SatisfactionOffered,
        policy: SurveyPolicy,  # noqa: ARG002
    ) -> None:
        """See `surveys.desk.SurveyChannel`: the mailbox has the words."""
        self._put(tx, ticket, event.survey_id, "survey", event.survey_id, event.version)

    def notify(self, tx: Transaction, ticket: Ticket, event: NoticeRequested) -> None:
        """See `outgoing.NoticeChannel`: a mail of their own for each."""
        for one in event.to:
            own = derived_id("notice", event.notice_id, one)
            self._put(tx, ticket, own, "notice", event.notice_id, event.version, recipient=one)

    def acknowledge(self, tx: Transaction, ticket: Ticket, message_id: UUID) -> bool:
        """Tell the requester that the ticket is there: once a ticket, and seldom to one address.

        The caller has made sure that a program may answer (RFC 3834). Returns whether it will be sent.
        """
        address = ticket.requester_email
        if address is None:
            return False
        if not self.takes(Reader.of(ticket)):
            return False
        tx.cursor.execute(
            "SELECT count(*) AS count FROM mail_outbox"
            " WHERE kind = 'acknowledgement' AND recipient = %s AND created_at > %s",
            (address.lower(), tx.now - self._pacing.within),
        )
        row = tx.cursor.fetchone()
        assert row is not None, "an aggregate has a row"
        if row["count"] >= self._pacing.count_max:
            return False
        own = derived_id("acknowledgement", message_id)
        self._put(tx, ticket, own, "acknowledgement", message_id, ticket.version)
        return True

    def _put(
        self,
        tx: Transaction,
        ticket: Ticket,
        own: UUID,
        kind: Kind,
        message_id: UUID,
        version: int,
        recipient: str | None = None,
    ) -> None:
        mail_id = own_message_id(self._secret.key(tx), ticket.id, own, self._domain)
        address = recipient or (ticket.requester_email or "").lower()
        tx.cursor.execute(
            "INSERT INTO mail_outbox (id, ticket_id, number, version, message_id, kind, mail_id,"
            " recipient, domain, state, next_attempt_at, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'waiting', %s, %s)"
            " ON CONFLICT (id) DO NOTHING",
            (
                derived_id("mail-out", kind, own), ticket.id, ticket.number, version, message_id,
                kind, mail_id, address, address.rpartition("@")[2], tx.now, tx.now,
            ),
        )  # fmt: skip
        remember(tx, mail_id, ticket_id=ticket.id, number=ticket.number)


def claim(tx: Transaction, *, count_max: int, per_domain_max: int, lease: timedelta) -> list[Item]:
    """Take what is due, at most so many mails for one domain at once over all senders, a ticket's mails in their order.

    Notices go to other people: they neither wait for the customer's mails nor keep them waiting.

    A claim whose time is over is taken again: whoever had it is gone, or will find that it is no longer theirs.
    """
    # One after the other: two who look at once would each find a domain free. It takes a millisecond.
    tx.cursor.execute("SELECT pg_advisory_xact_lock(hashtext('mail_outbox'))")
    tx.cursor.execute(
        "WITH first AS ("  # noqa: S608  # our own column names
        "  SELECT id, ticket_id, version, kind, domain, next_attempt_at FROM mail_outbox"
        "  WHERE state IN ('waiting', 'claimed') AND next_attempt_at <= %(now)s"
        "    AND (state = 'waiting' OR claimed_until <= %(now)s)"
        "  ORDER BY next_attempt_at, id LIMIT %(looked_at)s),"
        " busy AS ("
        "  SELECT domain, count(*) AS count FROM mail_outbox"
        "  WHERE state = 'claimed' AND claimed_until > %(now)s GROUP BY domain),"
        " due AS ("
        "  SELECT first.*, coalesce(busy.count, 0) + row_number()"
        "      OVER (PARTITION BY domain ORDER BY next_attempt_at, id) AS place"
        "  FROM first LEFT JOIN busy USING (domain)"
        "  WHERE kind = 'notice' OR NOT EXISTS ("
        "    SELECT 1 FROM mail_outbox AS earlier WHERE earlier.ticket_id = first.ticket_id"
        "    AND earlier.version < first.version AND earlier.state IN ('waiting', 'claimed')"
        "    AND earlier.kind <> 'notice')),"
        " taken AS ("
        "  SELECT o.id FROM mail_outbox AS o JOIN due USING (id) WHERE due.place <= %(per_domain)s"
        "  ORDER BY due.next_attempt_at, o.id LIMIT %(count)s FOR UPDATE OF o SKIP LOCKED)"
        " UPDATE mail_outbox AS o SET state = 'claimed', attempts = attempts + 1, claim_id = %(claim)s,"
        "   claimed_until = %(until)s FROM taken WHERE o.id = taken.id"
        f" RETURNING {_ITEM}",
        {
            "now": tx.now,
            "looked_at": LOOKED_AT_MAX,
            "per_domain": per_domain_max,
            "count": count_max,
            "claim": new_id(),
            "until": tx.now + lease,
        },
    )
    found = [msgspec.convert(row, Item) for row in tx.cursor.fetchall()]
    return sorted(found, key=lambda item: item.created_at)


def put_back(tx: Transaction, items: Sequence[Item], *, at: datetime, reason: str) -> None:
    """These were not tried after all (the server is away): they are due again at this moment."""
    tx.cursor.execute(
        "UPDATE mail_outbox SET state = 'waiting', attempts = attempts - 1, next_attempt_at = %s,"
        " claim_id = NULL, claimed_until = NULL, last_error = %s, last_code = NULL"
        " WHERE id = ANY(%s) AND claim_id = ANY(%s) AND state = 'claimed'",
        (at, reason, [item.id for item in items], [item.claim_id for item in items]),
    )


def is_still_claimed(tx: Transaction, item: Item) -> bool:
    """Lock the row; False: another one has it by now, and what we know of it is no news."""
    tx.cursor.execute(
        "SELECT 1 FROM mail_outbox WHERE id = %s AND claim_id = %s AND state = 'claimed' FOR UPDATE",
        (item.id, item.claim_id),
    )
    return tx.cursor.fetchone() is not None


def begin(tx: Transaction, item: Item) -> bool:
    """It goes to the server now; False: another one has it by now, and it must not."""
    tx.cursor.execute(
        "UPDATE mail_outbox SET is_handing_over = true"
        " WHERE id = %s AND claim_id = %s AND state = 'claimed'",
        (item.id, item.claim_id),
    )
    return tx.cursor.rowcount == 1


def settle(
    tx: Transaction,
    item: Item,
    *,
    state: State,
    reached: Sequence[str],
    failed: Sequence[str],
    next_attempt_at: datetime | None = None,
    give_up_at: datetime | None = None,
    error: str | None = None,
    code: int | None = None,
) -> None:
    """What became of the attempt; the row is locked (see `is_still_claimed`)."""
    tx.cursor.execute(
        "UPDATE mail_outbox SET state = %s, reached = reached || %s::text[], failed = failed || %s::text[],"
        " next_attempt_at = coalesce(%s, next_attempt_at), give_up_at = coalesce(give_up_at, %s),"
        " finished_at = %s, last_error = %s, last_code = %s, claim_id = NULL, claimed_until = NULL,"
        " is_handing_over = false WHERE id = %s",
        (
            state, list(reached), list(failed), next_attempt_at, give_up_at,
            None if state == "waiting" else tx.now, error, code, item.id,
        ),
    )  # fmt: skip


class Concerned(msgspec.Struct, frozen=True):
    """The mail of ours that came back."""

    id: UUID
    message_id: UUID
    kind: Kind


def find_sent(
    tx: Transaction, ticket_id: UUID, mail_id: str | None, failed: Sequence[str]
) -> Concerned | None:
    """The mail that a bounce speaks of: by its Message-ID, else the ticket's last one to one of these addresses."""
    tx.cursor.execute(
        "SELECT id, message_id, kind FROM mail_outbox WHERE ticket_id = %(ticket)s"
        " AND (lower(mail_id) = lower(%(mail)s) OR (%(mail)s::text IS NULL AND reached && %(failed)s::text[]))"
        " ORDER BY version DESC, id LIMIT 1",
        {"ticket": ticket_id, "mail": mail_id, "failed": [one.lower() for one in failed]},
    )
    row = tx.cursor.fetchone()
    return None if row is None else msgspec.convert(row, Concerned)


def note_bounce(tx: Transaction, mail: Concerned, failed: Sequence[str], reason: str) -> None:
    """The mail is dead for these; `retry` sends it to them once more."""
    lost = [one.lower() for one in failed]
    tx.cursor.execute(
        "UPDATE mail_outbox SET state = 'dead', finished_at = %(now)s, last_error = %(reason)s,"
        " failed = ARRAY(SELECT DISTINCT unnest(failed || %(lost)s::text[])),"
        " reached = ARRAY(SELECT one FROM unnest(reached) AS one WHERE one <> ALL(%(lost)s::text[]))"
        " WHERE id = %(id)s AND state IN ('sent', 'dead')",
        {"now": tx.now, "reason": f"bounced: {reason}", "lost": lost, "id": mail.id},
    )


def listed(
    tx: Transaction,
    *,
    states: Sequence[str],
    ticket_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Mails in these states, newest first; `before`: only those that were put in before this one."""
    tx.cursor.execute(
        f"SELECT {_ROW} FROM mail_outbox WHERE state = ANY(%(states)s)"  # noqa: S608  # our own column names
        " AND (%(ticket)s::uuid IS NULL OR ticket_id = %(ticket)s)"
        " AND (%(before)s::uuid IS NULL OR (created_at, id) <"
        "      (SELECT created_at, id FROM mail_outbox WHERE id = %(before)s))"
        " ORDER BY created_at DESC, id DESC LIMIT %(limit)s",
        {"states": list(states), "ticket": ticket_id, "before": before, "limit": limit},
    )
    return list(tx.cursor.fetchall())


def row_of(tx: Transaction, id_: UUID, *, is_locked: bool = False) -> dict[str, Any] | None:
    """One mail of the outbox."""
    lock = " FOR UPDATE" if is_locked else ""
    tx.cursor.execute(f"SELECT {_ROW} FROM mail_outbox WHERE id = %s{lock}", (id_,))  # noqa: S608  # as above
    return tx.cursor.fetchone()


def send_again(tx: Transaction, id_: UUID, *, by: str) -> None:
    """A dead mail is tried once more, to those who have not got it, as if it were new."""
    tx.cursor.execute(
        "UPDATE mail_outbox SET state = 'waiting', attempts = 0, next_attempt_at = %s, give_up_at = NULL,"
        " finished_at = NULL, failed = '{}', decided_by = %s WHERE id = %s",
        (tx.now, by, id_),
    )


def discard(tx: Transaction, id_: UUID, *, by: str) -> None:
    """Nobody tries any more."""
    tx.cursor.execute(
        "UPDATE mail_outbox SET state = 'discarded', finished_at = %s, decided_by = %s,"
        " claim_id = NULL, claimed_until = NULL WHERE id = %s",
        (tx.now, by, id_),
    )
