"""The import's entrance to assignments: many lines in one transaction, each done once, in its own past."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from services.routing.app.deciding import count_decisions
from services.routing.app.desks import Desks
from services.routing.domain import commands, people
from services.routing.domain.cause import Cause
from services.routing.domain.desk import Desk
from services.routing.domain.ticket import Ticket
from shared.errors import Invalid, KeyReused, Refused
from shared.events.agents import AgentProfile, GroupProfile
from shared.events.base import Actor, Channel
from shared.eventstore import Claim, EventTransaction
from shared.eventstore.claims import Claimed, find_claims, store_claims

_CLOCK_SKEW: Final = timedelta(seconds=60)


class TicketRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which ticket: by our id, or by the id it had where it was imported from."""

    id: UUID | None = None
    external_id: str | None = None


class ImportLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line: who had the ticket from `occurred_at` on. `key` makes it happen once.

    Unknown groups and agents are added with what is named here (`group_name`, `agent_name`), else with their id.
    """

    op: Literal["group", "assign", "unassign"]
    ticket: TicketRef
    key: str
    occurred_at: datetime
    group_id: str | None = None
    group_name: str | None = None
    agent_id: str | None = None
    agent_name: str | None = None


class Item(msgspec.Struct, frozen=True):
    """A line with its claim."""

    line: ImportLine
    claim: Claim


class Imported(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a line: the ticket's assignment version afterwards. `replayed`: it had been done before."""

    ticket_id: UUID
    version: int
    replayed: bool = False


Result = Imported | Refused | None
"""Done, refused, or None: the ticket is not known here yet."""

_IMPORTED: Final = msgspec.json.Decoder(Imported)


class Importing:
    """Applies lines of an import."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks

    def apply(
        self,
        tx: EventTransaction[Any],
        items: Sequence[Item],
        actor: Actor,
        correlation_id: str,
        blocked: set[TicketRef],
    ) -> list[Result]:
        """Do the lines in order.

        Args:
            tx: where it happens.
            items: the lines.
            actor: who imports.
            correlation_id: of the request.
            blocked: tickets that earlier lines wait for; grows here. A line behind one that waits must wait too.
        """
        refs = [item.line.ticket for item in items]
        ids = {ref.id for ref in refs if ref.id is not None}
        names = {ref.external_id for ref in refs if ref.external_id is not None}
        fresh: dict[UUID, tuple[Claim, bytes]] = {}
        results: list[Result] = []
        with self._desks.open(tx, ids, external_ids=names) as desk:
            claimed = find_claims(tx, [item.claim.id for item in items])
            by_name = {ticket.external_id: ticket for ticket in desk.tickets.values()}
            for item in items:
                earlier = claimed.get(item.claim.id)
                if earlier is not None:
                    results.append(_replay(item, earlier))
                    continue
                ticket = _find(desk, by_name, item.line.ticket)
                if ticket is None or item.line.ticket in blocked:
                    blocked.add(item.line.ticket)
                    results.append(None)
                    continue
                cause = Cause(
                    actor, Channel.IMPORT, correlation_id, occurred_at=item.line.occurred_at
                )
                try:
                    _act(desk, ticket, item.line, cause)
                except Refused as refusal:
                    results.append(refusal)
                    continue
                done = Imported(ticket.ticket_id, ticket.version)
                results.append(done)
                answer = msgspec.json.encode(done)
                fresh[item.claim.id] = item.claim, answer
                claimed[item.claim.id] = Claimed(item.claim.body_hash, answer)
            self._desks.place(tx, desk)
        store_claims(tx, list(fresh.values()))
        count_decisions(desk)
        return results


def _act(desk: Desk, ticket: Ticket, line: ImportLine, cause: Cause) -> None:
    if line.occurred_at.tzinfo is None:
        raise Invalid.of("occurred_at", "needs a time zone or offset")
    if line.occurred_at > desk.now + _CLOCK_SKEW:
        raise Invalid.of("occurred_at", "lies in the future")
    ticket.touched_at = desk.now
    desk.changed_tickets[ticket.ticket_id] = ticket
    match line.op:
        case "group":
            group_id = _needed(line.group_id, "group_id")
            if group_id not in desk.roster.groups:
                people.define_group(
                    desk, group_id, GroupProfile(name=line.group_name or group_id), cause
                )
            commands.change_group(desk, ticket, group_id, cause)
        case "assign":
            agent_id = _needed(line.agent_id, "agent_id")
            if agent_id not in desk.roster.agents:
                people.define_agent(
                    desk, agent_id, AgentProfile(name=line.agent_name or agent_id), cause
                )
            commands.assign(desk, ticket, agent_id, cause)
        case "unassign":
            commands.unassign(desk, ticket, cause)


def _needed(value: str | None, field: str) -> str:
    if value is None:
        raise Invalid.of(field, "is missing")
    return value


def _find(desk: Desk, by_name: dict[str | None, Ticket], ref: TicketRef) -> Ticket | None:
    ticket = desk.tickets.get(ref.id) if ref.id is not None else by_name.get(ref.external_id)
    return ticket if ticket is not None and ticket.is_known else None


def _replay(item: Item, earlier: Claimed) -> Result:
    if earlier.body_hash != item.claim.body_hash:
        return KeyReused("this key was used before for another line", field="key")
    return msgspec.structs.replace(_IMPORTED.decode(earlier.result), replayed=True)
