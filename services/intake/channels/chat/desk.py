"""The verbs of the chat: write, join, end, and make a ticket of a stretch."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from services.intake import people
from services.intake.app import Asking, Intake, Tx
from services.intake.channels.chat import store
from services.intake.channels.chat.sessions import Visitor
from services.intake.channels.chat.store import READ_MAX, Chat, Message, Writing
from services.intake.channels.installed import LiveChat
from services.intake.domain import OpenTicket, Ticket, limits
from shared.errors import Invalid
from shared.events import Actor, ActorKind, Channel, Priority
from shared.events.tickets import Person
from shared.eventstore import Claim, GroupCommitter
from shared.http.origin import Origin
from shared.identifiers import new_id
from shared.observability import metrics
from shared.operations import Asked, Operation, note_in_events

R = TypeVar("R")

END_TOGETHER_MAX: Final = 50
_SYSTEM: Final = Actor(kind=ActorKind.SYSTEM, id="chat", name="Chat")


class Stored(msgspec.Struct, frozen=True):
    """A message that is stored, and where."""

    chat_id: UUID
    message: Message


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The ticket to be made of a stretch. `subject` None: the visitor's first words of it."""

    first: int
    last: int
    subject: str | None = None
    priority: Priority | None = None
    ticket_type: str | None = None
    tags: tuple[str, ...] = ()
    fields: dict[str, Any] = {}


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """The ticket that was made. `sequence`: of the message in the chat that says so."""

    ticket_id: UUID
    number: int
    version: int
    sequence: int


class ChatDesk:
    """What happens in chats; each verb returns after the commit.

    Args:
        intake: the verbs of tickets.
        committer: the way of messages into the store, beside that of tickets.
        settings: the rules.
        announce: told of each chat in which something happened, after the commit, and of the message if it was one.
    """

    def __init__(
        self,
        intake: Intake,
        committer: GroupCommitter[Ticket],
        settings: LiveChat,
        announce: Callable[[UUID, Message | None], None],
    ) -> None:
        self.settings = settings
        self._intake = intake
        self._committer = committer
        self._announce = announce

    async def write_as_visitor(
        self, visitor: Visitor, id_: UUID, text: str, page: str | None
    ) -> Stored:
        """Store a visitor's message; the first one begins the chat."""
        writing = Writing(
            id=id_, side="visitor", author_id=visitor.id, author=visitor.name, text=text
        )

        def work(tx: Tx) -> tuple[Stored, bool]:
            chat_id = store.chat_of_visitor(tx, visitor, page)
            message = store.add(tx, chat_id, writing)
            return Stored(chat_id, message), message.at == tx.now

        stored, is_new = await self._do(work)
        if is_new:
            metrics.INTAKE_MESSAGES_IN.labels(Channel.CHAT).inc()
        return self._told(stored)

    async def introduce(self, chat_id: UUID, visitor: Visitor) -> None:
        """Keep what the visitor says of itself."""
        await self._do(lambda tx: store.introduce(tx, chat_id, visitor.name, visitor.email))

    async def write_as_agent(self, chat_id: UUID, asked: Origin, id_: UUID, text: str) -> Stored:
        """Store an agent's message; whoever writes takes part.

        Raises:
            ChatHasEnded, NotFound: nobody writes there.
        """
        agent = asked.principal
        writing = Writing(id=id_, side="agent", author_id=agent.id, author=agent.name, text=text)

        def work(tx: Tx) -> Stored:
            chat = store.get(tx, chat_id)
            if chat.agent_id is None:
                self._joining(tx, chat, asked)
            return Stored(chat_id, store.add(tx, chat_id, writing))

        return self._told(await self._do(work))

    async def join(self, chat_id: UUID, asked: Origin) -> Chat:
        """The agent takes the chat, from the queue or from a colleague.

        Raises:
            ChatHasEnded, NotFound: it is too late.
        """

        def work(tx: Tx) -> Chat:
            if self._joining(tx, store.get(tx, chat_id), asked):
                agent = asked.principal
                self._say(tx, chat_id, f"{agent.name or agent.id} has joined.")
            return store.get(tx, chat_id)

        chat = await self._do(work)
        self._announce(chat_id, None)
        return chat

    async def end(self, chat_id: UUID, by: str, words: str, asked: Asked | None = None) -> Chat:
        """Nobody writes any more; the rule says whether a ticket comes of it. `asked`: the agent who ends it."""

        def work(tx: Tx) -> Chat:
            if self._ending(tx, chat_id, by, words) and asked is not None:
                note_in_events(tx, Operation.by(asked, "chat.end", str(chat_id)))
            return store.get(tx, chat_id)

        chat = (await self._intake.together(work, Chat)).result
        self._announce(chat_id, None)
        return chat

    async def end_silent(self) -> int:
        """End the chats in which nobody has written for too long. Returns how many."""
        silence = timedelta(minutes=self.settings.idle_minutes)

        def work(tx: Tx) -> list[UUID]:
            found = store.silent(tx, silence, count_max=END_TOGETHER_MAX)
            for chat_id in found:
                self._ending(tx, chat_id, "silence", "The chat has ended: nobody wrote any more.")
            return found

        ended = (await self._intake.together(work, list[UUID])).result
        for chat_id in ended:
            self._announce(chat_id, None)
        return len(ended)

    async def make_ticket(self, chat_id: UUID, wanted: Wanted, asked: Asked) -> Made:
        """Make a ticket of a stretch; the same stretch again gives the same ticket.

        Raises:
            NotFound: there is no such chat.
            Invalid: there is no such stretch, or it is too long.
            KeyReused: the same stretch has become another ticket.
        """

        def work(tx: Tx) -> Made:
            chat = store.get(tx, chat_id)
            if not 1 <= wanted.first <= wanted.last <= chat.last_sequence:
                raise Invalid.of("last", f"expected 1 to {chat.last_sequence}, not before first")
            messages = store.stretch(tx, chat_id, wanted.first, wanted.last)
            if len(messages) > READ_MAX:
                raise Invalid.of("last", f"at most {READ_MAX} messages make a ticket")
            return self._making(tx, chat, messages, wanted, asked.actor, asked.correlation_id)

        key = f"{chat_id}\x1f{wanted.first}\x1f{wanted.last}"
        claim = Claim.of("chat ticket", key, msgspec.json.encode(wanted))
        outcome = await self._intake.together(work, Made, claim=claim)
        self._announce(chat_id, None)
        return outcome.result

    def _joining(self, tx: Tx, chat: Chat, asked: Origin) -> bool:
        agent = asked.principal
        if not store.join(tx, chat.id, agent.id, agent.name):
            return False
        changes = {"agent": (chat.agent_id, agent.id)}
        note_in_events(tx, Operation.by(asked, "chat.join", str(chat.id), changes=changes))
        return True

    def _ending(self, tx: Tx, chat_id: UUID, by: str, words: str) -> bool:
        """Returns whether that is new."""
        chat = store.get(tx, chat_id)
        if not store.end(tx, chat_id, by):
            return False
        self._say(tx, chat_id, words)
        was_missed = chat.joined_at is None
        rule = self.settings.missed_opens if was_missed else self.settings.ended_opens
        if not rule or store.is_ticketed(tx, chat_id) or chat.last_sequence == 0:
            return True
        first = max(1, chat.last_sequence - READ_MAX + 1)
        messages = store.stretch(tx, chat_id, first, chat.last_sequence)
        wanted = Wanted(first=first, last=chat.last_sequence)
        self._making(tx, chat, messages, wanted, _SYSTEM, f"chat-{chat_id}")
        return True

    def _making(
        self,
        tx: Tx,
        chat: Chat,
        messages: Sequence[Message],
        wanted: Wanted,
        maker: Actor,
        correlation_id: str,
    ) -> Made:
        settings = self.settings
        person = self._requester(tx, chat)
        said = next((one for one in messages if one.side == "visitor"), messages[0])
        # By rule the customer asks; by hand an agent does it for them.
        is_rule = maker.kind is ActorKind.SYSTEM
        actor = Actor(ActorKind.CUSTOMER, person.id, person.name) if is_rule else maker
        command = OpenTicket(
            ticket_id=new_id(),
            message_id=new_id(),
            subject=wanted.subject or _subject(said.text),
            body=transcript(messages, chat),
            requester=person,
            priority=wanted.priority or settings.priority,
            ticket_type=wanted.ticket_type or settings.ticket_type,
            tags=(*settings.tags, *wanted.tags),
            fields={**settings.fields, **wanted.fields, "chat": str(chat.id)},
            asks_nothing=is_rule,
        )
        asking = Asking(
            actor=actor,
            via=Channel.CHAT,
            correlation_id=correlation_id,
            occurred_at=said.at if is_rule else None,
        )
        event = self._intake.opening(tx, command, asking)
        first, last = wanted.first, wanted.last
        store.link(tx, chat.id, event.ticket_id, event.number, first, last, maker.id)
        told = self._say(tx, chat.id, f"Ticket #{event.number} was made of this chat.")
        return Made(
            ticket_id=event.ticket_id,
            number=event.number,
            version=event.version,
            sequence=told.sequence,
        )

    def _requester(self, tx: Tx, chat: Chat) -> Person:
        """The visitor as a customer. An address that nobody signs for is answered at, and proves nothing."""
        if chat.is_identified:
            known = Person(id=chat.visitor_id, name=chat.name, email=chat.email)
            return self._intake.contacts.introduced(tx, known)
        identity = chat.visitor_id if chat.email is None else people.mailto(chat.email)
        return Person(id=identity, name=chat.name, email=chat.email)

    def _say(self, tx: Tx, chat_id: UUID, words: str) -> Message:
        writing = Writing(id=new_id(), side="system", author_id="chat", author=None, text=words)
        return store.add(tx, chat_id, writing)

    def _told(self, stored: Stored) -> Stored:
        self._announce(stored.chat_id, stored.message)
        return stored

    async def _do(self, work: Callable[[Tx], R]) -> R:
        return (await self._committer.submit(work)).result


def transcript(messages: Sequence[Message], chat: Chat) -> str:
    """The stretch as text; the moments in UTC. What is too long loses its middle, not its end."""
    lines = [_line(one, chat) for one in messages]
    text = "\n".join(lines)
    if len(text.encode()) <= limits.BODY_BYTES_MAX:
        return text
    half = limits.BODY_BYTES_MAX // 2 - 64
    raw = text.encode()
    begin, rest = raw[:half].decode(errors="ignore"), raw[-half:].decode(errors="ignore")
    return f"{begin}\n[… the chat has the rest]\n{rest}"


def _line(message: Message, chat: Chat) -> str:
    names = {"visitor": chat.name or "Visitor", "agent": message.author or "Agent", "system": "*"}
    return f"{message.at:%H:%M} {names[message.side]}: {message.text}"


def _subject(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 80 else words[:79].rsplit(" ", 1)[0] + "…"  # noqa: PLR2004
