"""Events of intake about steps: several changes under one name, whether a person pressed a button or a rule held."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.events.of_tickets import OfTicket


class ActionsApplied(
    OfTicket,
    frozen=True,
    kw_only=True,
    tag="ticket.actions_applied.v1",
    omit_defaults=True,
):
    """Several changes follow as one step; each of them names this event as its `causation_id`.

    Attributes:
        step_id: of the step, by which it can be undone.
        source: what asked for it: `macro`.
        name: of the document that did.
        definition_version: of that document.
        title: of it, for people.
        why: in words, when nobody pressed a button.
    """

    step_id: UUID
    source: str
    name: str
    definition_version: int
    title: str
    why: str | None = None


class ActionsUndone(OfTicket, frozen=True, kw_only=True, tag="ticket.actions_undone.v1"):
    """The step was taken back; what follows names this event as its `causation_id`.

    `kept` names what stays: messages that were written, and what somebody has changed since.
    """

    step_id: UUID
    title: str
    kept: tuple[str, ...] = ()


class GroupRequested(OfTicket, frozen=True, kw_only=True, tag="ticket.group_requested.v1"):
    """Routing is asked to move the ticket; it says itself whether it did. `previous_group_id`: as far as heard."""

    group_id: str
    previous_group_id: str | None = None


class NoticeRequested(OfTicket, frozen=True, kw_only=True, tag="ticket.notice_requested.v1"):
    """A rule tells people who work here of the ticket. No customer sees it.

    Attributes:
        notice_id: what is said later of its mails names it as their message.
        to: mail addresses, `agent:<id>`, `lead:<group>`; each gets a mail of their own.
        nobody: whom the rule meant and who is nobody now (`agent`: nobody has the ticket).
        leaves_by: `email`; null: nothing leaves, because there is no way out or nobody to tell.
    """

    notice_id: UUID
    to: tuple[str, ...]
    subject: str
    body: str
    nobody: tuple[str, ...] = ()
    leaves_by: str | None = None


class ConditionSeen(msgspec.Struct, frozen=True):
    """A condition of a rule that held, in words, and the values that it saw, by field."""

    condition: str
    saw: dict[str, Any]


class _OfRule(OfTicket, frozen=True, kw_only=True):
    """A rule and why its turn had come.

    Attributes:
        rule: its id. `rules_version`: of the rule set. `title`: of the rule, for people.
        cause: what started it (`customer_replied`, …), or `time`.
        conditions: all that had to hold, with what they saw.
        after: rules whose changes led to it, first to last; empty: somebody's own act did, or time.
        anchor_at: of a time rule: the moment that it counts from. `due_at`: when its time was over.
    """

    rule: str
    rules_version: int
    title: str
    cause: str
    conditions: tuple[ConditionSeen, ...] = ()
    after: tuple[str, ...] = ()
    anchor_at: datetime | None = None
    due_at: datetime | None = None


class RuleApplied(_OfRule, frozen=True, kw_only=True, tag="ticket.rule_applied.v1"):
    """A rule ran; what it changed follows as one step, and each event of it names this one as its `causation_id`.

    Attributes:
        step_id: of the step, by which it can be undone.
        changes: what it changed, as in the answer of a dry run; empty: all was so already.
        until_version: of the last event of the step.
    """

    step_id: UUID
    changes: tuple[dict[str, Any], ...]
    until_version: int


class RuleNotApplied(_OfRule, frozen=True, kw_only=True, tag="ticket.rule_not_applied.v1"):
    """A rule's conditions held and it changed nothing, because it may not.

    Attributes:
        why: `refused` (the ticket does not allow it), `loop` (it ran already for the same cause), `depth` (too many
            rules one after the other), `rate` (too many rules on this ticket within an hour; said once an hour),
            `failed` (a fault of ours).
        reason: in words.
    """

    why: str
    reason: str
