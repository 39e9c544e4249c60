"""Two routing processes, real PostgreSQL, random interleavings (R17): both decide at once and neither oversteps.

Events come as records from Kafka do, some more than once; processes start afresh; people leave and come back.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from aiokafka.structs import ConsumerRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from services.routing.app.asking import Act, Asking
from services.routing.app.desks import Desks
from services.routing.domain import commands, offers
from services.routing.domain.cause import Cause
from shared.errors import NotYet, Refused
from shared.events.agents import (
    AgentProfile,
    CapacityUnits,
    GroupProfile,
    OfferMode,
    Presence,
    RoutingRule,
    RoutingSettings,
    RuleMode,
    Strategy,
    WideningStep,
)
from shared.events.assignments import TicketAssigned, TicketOffered, TicketUnassigned
from shared.events.base import Actor, ActorKind, Channel, Event, StatusCategory
from shared.events.tickets import TicketOpened
from shared.eventstore import EventTransaction
from shared.topics import Topic
from tests.integration.plumbing.readers import Log
from tests.integration.routing.conftest import clean
from tests.integration.routing.office import Office, Tickets
from tests.support.database import Database

pytestmark = pytest.mark.integration

AGENTS = ("ann", "bob", "han")
TICKETS = 12
WHICH = st.integers(0, TICKETS - 1)
BOSS = Cause(Actor(kind=ActorKind.AGENT, id="boss"), Channel.AGENT, "by-hand")
STEP = st.one_of(
    st.tuples(st.just("open"), WHICH, st.none()),
    st.tuples(st.just("solve"), WHICH, st.none()),
    st.tuples(st.just("answer"), WHICH, st.booleans()),
    st.tuples(st.just("assign"), WHICH, st.sampled_from(AGENTS)),
    st.tuples(st.just("presence"), st.sampled_from(AGENTS), st.sampled_from(Presence)),
    st.tuples(st.just("hour"), st.none(), st.none()),
    st.tuples(st.just("pull"), st.sampled_from(AGENTS), st.none()),
    st.tuples(st.just("employ"), st.sampled_from(AGENTS), st.booleans()),
    st.tuples(st.just("replay"), st.none(), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
)
PLAN = st.lists(STEP, min_size=8, max_size=20)


class Partition:
    """One partition of intake's topic: what is published again has a new place in it."""

    def __init__(self, tickets: Tickets, openings: list[TicketOpened], parity: int) -> None:
        self.tickets = [event.ticket_id for event in openings]
        self.records: list[ConsumerRecord] = []
        self._story = tickets
        self._openings = openings
        self._parity = parity
        self._log = Log("", Topic.TICKETS, parity)
        self._told: dict[tuple[str, int], Event] = {}

    def publish(self, kind: str, place: int) -> list[ConsumerRecord]:
        """The record of an opening or solving, the first or the same again; none of what is another's."""
        if place % 2 != self._parity:
            return []
        event = self._told.get((kind, place)) or self._first(kind, place)
        if event is None:
            return []
        self._told[kind, place] = event
        record = self._log.put(event)
        self.records.append(record)
        return [record]

    def _first(self, kind: str, place: int) -> Event | None:
        if kind == "open":
            return self._openings[place]
        if ("open", place) not in self._told:
            return None
        return self._story.moved(self.tickets[place], StatusCategory.SOLVED)


class Process:
    """One of the two, which reads a partition of its own; what it is asked in vain changes nothing."""

    def __init__(self, office: Office, partition: Partition) -> None:
        self.office = office
        self.partition = partition
        self.asking = Asking(Desks(drain_max=5))

    def run(self, plan: list[tuple[str, Any, Any]]) -> None:
        for kind, subject, detail in plan:
            self.do(kind, subject, detail)

    def do(self, kind: str, subject: Any, detail: Any) -> None:
        if kind in {"open", "solve"}:
            self.office.apply(self.partition.publish(kind, subject))
        elif kind == "replay":
            self.office.apply(self.partition.records)
        elif kind == "restart":
            self.office.forget()
            self.asking = Asking(Desks(drain_max=5))
        elif kind == "presence":
            self.ask(lambda tx: self.asking.choose_presence(tx, subject, detail, BOSS))
        elif kind == "employ":
            self.ask(lambda tx: employ(self.asking, tx, subject, is_active=detail))
        elif kind == "pull":
            self.ask(lambda tx: self.asking.pull(tx, subject, BOSS))
        elif kind == "hour":
            self.office.store.transact(an_hour_goes)
            self.office.sweep()
        else:
            self.about(kind, self.partition.tickets[subject], detail)

    def about(self, kind: str, ticket: UUID, detail: Any) -> None:
        if kind == "assign":
            self.act(ticket, lambda desk, one: commands.assign(desk, one, detail, BOSS))
        else:
            for agent in AGENTS:
                self.answer(ticket, agent, takes=detail)

    def answer(self, ticket: UUID, agent: str, *, takes: bool) -> None:
        if takes:
            self.act(ticket, lambda desk, one: offers.accept(desk, one, agent, BOSS))
        else:
            self.act(ticket, lambda desk, one: offers.decline(desk, one, agent, "no", BOSS))

    def act(self, ticket: UUID, act: Act) -> None:
        self.ask(lambda tx: self.asking.about(tx, ticket, BOSS, act))

    def ask(self, verb: Callable[[EventTransaction[Any]], object]) -> None:
        try:
            self.office.store.transact(verb)
        except (Refused, NotYet):
            return


def an_hour_goes(tx: EventTransaction[Any]) -> None:
    tx.cursor.execute("SELECT stamp FROM desk FOR UPDATE")  # first, as whoever decides
    for column in ("offer_until", "waits_since", "forgive_at", "timer_at"):
        tx.cursor.execute(f"UPDATE tickets SET {column} = {column} - interval '1 hour'")  # type: ignore[arg-type]
    tx.cursor.execute(
        "UPDATE agents SET left_at = left_at - interval '1 hour',"
        " grace_at = grace_at - interval '1 hour'"
    )
    tx.cursor.execute("UPDATE desk SET stamp = gen_random_uuid()")


def employ(
    asking: Asking, tx: EventTransaction[Any], agent: str, *, is_active: bool = True
) -> None:
    """The agent works here, or no longer does."""
    profile = AgentProfile(
        name=agent,
        groups=("helpers",) if agent == "han" else ("support",),
        capacity=3,
        channel_capacity={"chat": 1.5},
        is_active=is_active,
    )
    asking.define_agent(tx, agent, profile, Presence.ONLINE if is_active else None, BOSS, None)


def begin(office: Office, units: CapacityUnits) -> None:
    asking = Asking(Desks(drain_max=50))

    def define(tx: EventTransaction[Any]) -> None:
        helpers = GroupProfile(name="Helpers", strategy=Strategy.ROUND_ROBIN)
        asking.define_group(tx, "helpers", helpers, BOSS, None)
        support = GroupProfile(
            name="Support",
            strategy=Strategy.LEAST_LOADED,
            offer=OfferMode(seconds=600),
            widening=(WideningStep(after_seconds=900, overflow=("helpers",)),),
            grace_seconds=600,
        )
        asking.define_group(tx, "support", support, BOSS, None)
        rules = (RoutingRule(id="all", group="support"),)
        asking.define_rules(tx, rules, RuleMode.FIRST, BOSS, None)
        asking.define_settings(tx, RoutingSettings(units=units), BOSS, None)
        for agent in AGENTS:
            employ(asking, tx, agent)

    office.store.transact(define)


async def test_whatever_two_processes_do_at_once(
    office: Office, second_office: Office, database: Database
) -> None:
    @settings(
        max_examples=20,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(one=PLAN, two=PLAN, chats=st.sampled_from([0.5, 1.0, 1.5]))
    def explore(
        one: list[tuple[str, Any, Any]], two: list[tuple[str, Any, Any]], chats: float
    ) -> None:
        clean(database)
        office.forget()
        second_office.forget()
        begin(office, CapacityUnits(channels={"chat": chats}))
        play(office, second_office, one, two)
        check(database, office)

    await asyncio.to_thread(explore)


def play(office: Office, other: Office, one: list[Any], two: list[Any]) -> None:
    """Each ticket's own events come to one process, as Kafka's partitions see to it; everything else to both.

    In the end ann leaves for good, and everything is delivered once more.
    """
    openings = [
        office.tickets.opened(via=(Channel.EMAIL, Channel.CHAT)[place % 2])
        for place in range(TICKETS)
    ]
    processes = [
        Process(at, Partition(office.tickets, openings, parity))
        for parity, at in enumerate((office, other))
    ]
    with ThreadPoolExecutor(2) as pool:
        for running in [
            pool.submit(process.run, plan)
            for process, plan in zip(processes, (one, two), strict=True)
        ]:
            running.result()
    asking = Asking(Desks(drain_max=5))
    office.store.transact(lambda tx: employ(asking, tx, "ann", is_active=False))
    for process in processes:
        process.office.apply(process.partition.records)
        process.office.sweep()


def check(database: Database, office: Office) -> None:
    with psycopg.connect(
        database.url("routing"), options="-c search_path=routing", row_factory=dict_row
    ) as connection:
        tickets = connection.execute("SELECT * FROM tickets").fetchall()
        agents = connection.execute("SELECT * FROM agents").fetchall()
        lanes = connection.execute(
            "SELECT lane, waiting, (SELECT count(*) FROM tickets t WHERE t.lane = l.lane) AS n FROM lanes l"
        ).fetchall()
    for agent in agents:
        mine = [one for one in tickets if agent["agent_id"] in {one["agent_id"], one["offered_to"]}]
        assert agent["load"] == sum(one["units"] for one in mine)
    assert all(lane["waiting"] == lane["n"] for lane in lanes)
    for ticket in tickets:
        places = [ticket[name] for name in ("agent_id", "lane", "offered_to")]
        if ticket["category"] in {"new", "open", "answered"}:
            assert sum(place is not None for place in places) == 1
        else:
            assert ticket["lane"] is None
            assert ticket["offered_to"] is None
        follow(office, ticket)
        if ticket["category"] == "new":
            assert ticket["agent_id"] not in {
                one["agent_id"] for one in agents if not one["profile"]["is_active"]
            }
    nothing_is_left_to_do(office)


def nothing_is_left_to_do(office: Office) -> None:
    """Nobody waits while somebody could take it, and a process that starts now decides nothing."""
    before = office.events_stored()

    def look(tx: EventTransaction[Any]) -> None:
        with Desks(drain_max=5).open(tx) as desk:
            for lane in desk.roster.lanes.values():
                assert not lane.waiting or desk.decide(lane).agent is None

    office.store.transact(look)
    office.forget()
    office.sweep()
    assert office.events_stored() == before


def follow(office: Office, ticket: dict[str, Any]) -> None:
    """The log of one ticket: one holder at a time, nobody pushed above the limit, nothing by hand undone."""
    holder: str | None = None
    by_hand = False
    for number, event in enumerate(office.store.history(ticket["ticket_id"]), 1):
        assert event.version == number
        if isinstance(event, TicketOffered):
            assert event.load_after <= 3
        elif isinstance(event, TicketAssigned):
            assert event.previous_agent_id == holder
            assert event.mode == "manual" or not by_hand
            assert event.mode in {"manual", "offer"} or event.load_after <= 3
            holder, by_hand = event.agent_id, event.mode == "manual"
        elif isinstance(event, TicketUnassigned):
            assert event.previous_agent_id == holder
            assert not by_hand or event.reason == "agent_left"
            holder = None
    assert holder == ticket["agent_id"]
