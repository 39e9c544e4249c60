"""The verbs of surveys: asking when it is due, showing the question, taking the answer."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

import msgspec

from services.intake.app import Asking, Intake, Tx
from services.intake.domain import Ticket
from services.intake.domain.commands import OfferSurvey, RateSatisfaction
from services.intake.domain.parts import Survey
from services.intake.domain.refusals import NoSurveyIsOpen
from services.intake.domain.survey_policy import SurveyPolicy
from services.intake.outgoing import Reader
from services.intake.owners import owner_of
from services.intake.surveys.links import Asked
from shared.database import Transaction
from shared.events import Actor, ActorKind, Channel
from shared.events.satisfaction import SatisfactionOffered, Score

_SYSTEM: Final = Actor(kind=ActorKind.SYSTEM, id="intake")


class SurveyChannel(Protocol):
    """A channel that brings the question to the customer.

    Attributes:
        name: what `leaves_by` of the event says: a `Channel`.
    """

    name: str

    def takes(self, reader: Reader) -> bool:
        """Whether it reaches this requester (see `outgoing.Outgoing`)."""
        ...

    def ask(
        self, tx: Transaction, ticket: Ticket, event: SatisfactionOffered, policy: SurveyPolicy
    ) -> None:
        """Keep the question for sending, in the transaction of its event. Cheap, and refuses nothing."""
        ...


class Question(msgspec.Struct, frozen=True):
    """What the page behind a link shows."""

    number: int
    survey: Survey
    policy: SurveyPolicy


class Surveys:
    """The verbs.

    Args:
        intake: whose steps they are made of.
        channels: how the question leaves: by the first that reaches the requester; by none, it stands on the ticket's
            page and in the API only.
    """

    def __init__(self, intake: Intake, channels: Sequence[SurveyChannel]) -> None:
        self.intake = intake
        self._channels = tuple(channels)

    def offer_due(self, correlation_id: str) -> datetime | None:
        """Ask about the solved tickets whose moment has come. Returns when the next one comes. Blocks."""

        def work(tx: Tx) -> datetime | None:
            due = self.intake.surveys_due.due(tx)
            tx.prefetch([one.ticket_id for one in due])
            for one in due:
                asking = Asking(actor=_SYSTEM, via=Channel.SYSTEM, correlation_id=correlation_id)
                ticket = self.intake.load(tx, one.ticket_id, asking)
                self._offer(tx, ticket, one.until, asking)
                # Asked, or never to be asked (switched off, spam): either way the moment is over.
                self.intake.surveys_due.note(tx, ticket.id, None)
            return self.intake.surveys_due.next_moment(tx)

        return self.intake.read(work)

    def _offer(self, tx: Tx, ticket: Ticket, survey_at: datetime, asking: Asking) -> None:
        owner = owner_of(tx, ticket.id)
        channel = self._channel(ticket)
        command = OfferSurvey(
            survey_at=survey_at,
            leaves_by=None if channel is None else channel.name,
            group_id=owner.group_id,
            agent_id=owner.agent_id,
        )
        events = self.intake.decided(tx, ticket, command, asking)
        after = self.intake.save(tx, ticket, events)
        for event in events:
            if channel is not None and isinstance(event, SatisfactionOffered):
                channel.ask(tx, after, event, self._policy(event.policy_group))

    def _channel(self, ticket: Ticket) -> SurveyChannel | None:
        reader = Reader.of(ticket)
        return next((one for one in self._channels if one.takes(reader)), None)

    def _policy(self, group: str | None) -> SurveyPolicy:
        return self.intake.configuration.house.survey(group).policy

    async def question(self, asked: Asked) -> Question:
        """What a link is about, and what was answered so far.

        Raises:
            NotFound, NoSurveyIsOpen: it is not there (any more).
        """

        def look(tx: Tx) -> Question:
            ticket = self._ticket(tx, asked)
            survey = ticket.survey(asked.survey_id)
            if survey is None:
                raise NoSurveyIsOpen(ticket.number)
            return Question(ticket.number, survey, self._policy(survey.policy_group))

        return await asyncio.to_thread(self.intake.read, look)

    async def answer(
        self,
        asked: Asked,
        score: Score,
        comment: str | None,
        reason: str | None,
        *,
        ip: str | None,
        correlation_id: str,
    ) -> None:
        """Whoever has the link answers as the requester.

        Raises:
            NotFound, Refused, Invalid: as `domain.satisfaction`.
        """

        def work(tx: Tx) -> None:
            ticket = self._ticket(tx, asked)
            person = ticket.requester
            actor = Actor(kind=ActorKind.CUSTOMER, id=person.id, name=person.name, ip=ip)
            channel = self._channel(ticket)
            via = Channel.EMAIL if channel is None else Channel(channel.name)
            asking = Asking(actor=actor, via=via, correlation_id=correlation_id)
            command = RateSatisfaction(
                survey_id=asked.survey_id, score=score, comment=comment, reason=reason
            )
            self.intake.changing(tx, ticket.id, command, asking)

        await self.intake.together(work, type(None), streams=(asked.ticket_id,))

    def _ticket(self, tx: Tx, asked: Asked) -> Ticket:
        asking = Asking(actor=_SYSTEM, via=Channel.SYSTEM, correlation_id="")
        return self.intake.load(tx, asked.ticket_id, asking)
