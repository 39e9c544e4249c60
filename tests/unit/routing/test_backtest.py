"""The past replayed: rules that share out better wait less, the same rules tell what happened, always alike."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from services.routing.domain.backtest import (
    AgentMoment,
    AgentThen,
    Backtest,
    Handed,
    Material,
    PastTicket,
    Setting,
    compare,
    play,
    read_material,
)
from services.routing.domain.backtest.replay import Replay
from services.routing.domain.ticket import Facts
from services.routing.domain.trail import Entry, Mark
from shared.events.agents import (
    AgentProfile,
    GroupProfile,
    Presence,
    RoutingRule,
    RoutingSettings,
    RuleMode,
)
from shared.events.conditions import Condition

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
WORK = timedelta(minutes=10)
EVERY = timedelta(minutes=5)
ALL_TO_ONE = (RoutingRule(id="default", group="one"),)
SHARED = (
    RoutingRule(id="odd", group="two", when=(Condition("tags", "contains", "odd"),)),
    RoutingRule(id="default", group="one"),
)


def an_agent(
    name: str, group: str, position: int, presence: Presence = Presence.ONLINE
) -> AgentThen:
    profile = AgentProfile(name=name, groups=(group,), capacity=1)
    return AgentThen(agent_id=name, position=position, profile=profile, presence=presence)


def a_setting(rules: tuple[RoutingRule, ...], *agents: AgentThen) -> Setting:
    return Setting(
        since=START,
        until=START + timedelta(hours=12),
        rules_version=3,
        rules=rules,
        mode=RuleMode.FIRST,
        settings=RoutingSettings(),
        groups={"one": GroupProfile(name="One"), "two": GroupProfile(name="Two")},
        agents=agents or (an_agent("ann", "one", 1), an_agent("bob", "two", 2)),
    )


def a_ticket(
    number: int, *, handed_after: timedelta = timedelta(0), agent: str = "ann", mode: str = "auto"
) -> PastTicket:
    opened = START + number * EVERY
    got = opened + handed_after
    return PastTicket(
        ticket_id=UUID(int=number + 1),
        opened_at=opened,
        requester_id="cora",
        facts=Facts(channel="email", tags=("odd",) if number % 2 else ()),
        trail=(
            Entry(opened, Mark.OPENED, "normal"),
            Entry(opened, Mark.DUE, (opened + timedelta(minutes=15)).isoformat()),
            Entry(got + WORK, Mark.FREED, "solved"),
        ),
        handed=(Handed(got, agent, mode),),
    )


def compared(material: Material, wanted: tuple[RoutingRule, ...], mode: RuleMode) -> Backtest:
    return compare(play(material, wanted, mode))


def as_it_happened(count: int) -> tuple[PastTicket, ...]:
    """One agent, ten minutes a ticket, one ticket every five minutes: the queue grows."""
    return tuple(a_ticket(number, handed_after=number * (WORK - EVERY)) for number in range(count))


def test_the_rules_in_force_tell_what_happened_to_the_second() -> None:
    told = compared(Material(a_setting(ALL_TO_ONE), (), as_it_happened(60)), SHARED, RuleMode.FIRST)
    assert told.current.wait_p50 == told.recorded.wait_p50 > 0
    assert told.current.wait_p99 == told.recorded.wait_p99
    assert told.same_agent_share == 1.0


def test_rules_that_share_the_work_out_wait_less() -> None:
    told = compared(Material(a_setting(ALL_TO_ONE), (), as_it_happened(60)), SHARED, RuleMode.FIRST)
    assert told.wanted.wait_p99 == 0.0
    assert told.wanted.load_spread < 0.1 < told.current.load_spread, "one of two had everything"
    assert told.current.tickets_per_agent == (0, 12, 24)
    assert told.moved == {"one": {"two": told.wanted.by_group["two"]}}
    assert told.counted_from == START + timedelta(hours=3), "a quarter of a short window is warm-up"
    assert told.wanted.tickets == 60 - 36


def test_the_same_material_gives_the_same_figures() -> None:
    material = Material(a_setting(ALL_TO_ONE), (), as_it_happened(40))
    first, second = (compared(material, SHARED, RuleMode.FIRST) for _ in "ab")
    assert first == second


def test_who_is_away_gets_nothing_until_they_come() -> None:
    setting = a_setting(ALL_TO_ONE, an_agent("ann", "one", 1, Presence.OFFLINE))
    comes = START + timedelta(hours=1)
    moment = AgentMoment(at=comes, agent_id="ann", position=1, presence=Presence.ONLINE)
    told = Replay(Material(setting, (moment,), as_it_happened(2)), ALL_TO_ONE, RuleMode.FIRST).run()
    first, second = (told.waits[UUID(int=number)] for number in (1, 2))
    assert first == 3_600
    assert second == 3_600 - 300 + 600, "the second waits for the first to be done"


def test_a_priority_that_a_person_set_moves_it_forward_in_the_replay_as_well() -> None:
    setting = a_setting(ALL_TO_ONE, an_agent("ann", "one", 1, Presence.OFFLINE))
    comes = AgentMoment(
        at=START + timedelta(hours=1), agent_id="ann", position=1, presence=Presence.ONLINE
    )
    first, second = as_it_happened(2)
    raised = Entry(START + timedelta(minutes=30), Mark.PRIORITY, "urgent")
    second = msgspec.structs.replace(second, trail=(*second.trail, raised))
    told = Replay(Material(setting, (comes,), (first, second)), ALL_TO_ONE, RuleMode.FIRST).run()
    assert told.waits[second.ticket_id] == 3_600 - 300
    assert told.waits[first.ticket_id] == 3_600 + 600, "the raised one is worked at before it"


def test_what_a_person_took_is_taken_again_unless_routing_is_faster() -> None:
    taken = a_ticket(0, handed_after=timedelta(minutes=30), agent="bob", mode="pull")
    nobody = a_setting(ALL_TO_ONE, an_agent("bob", "two", 1))
    told = Replay(Material(nobody, (), (taken,)), ALL_TO_ONE, RuleMode.FIRST).run()
    assert (told.waits[taken.ticket_id], told.agents[taken.ticket_id]) == (1_800, "bob")
    faster = Replay(Material(a_setting(ALL_TO_ONE), (), (taken,)), ALL_TO_ONE, RuleMode.FIRST).run()
    assert (faster.waits[taken.ticket_id], faster.agents[taken.ticket_id]) == (0, "ann")


def test_a_ticket_that_comes_back_goes_to_its_agent_and_rests_as_long_as_it_did() -> None:
    ticket = a_ticket(0)
    freed = START + WORK
    back = freed + timedelta(hours=2)
    again = msgspec.structs.replace(
        ticket,
        trail=(
            *ticket.trail[:-1],
            Entry(freed, Mark.FREED, "pending"),
            Entry(back, Mark.NEEDED, "open"),
            Entry(back + WORK, Mark.FREED, "solved"),
        ),
    )
    late = msgspec.structs.replace(a_ticket(1), opened_at=back + timedelta(minutes=1))
    late = msgspec.structs.replace(
        late, trail=(Entry(late.opened_at, Mark.OPENED, "normal"),), handed=()
    )
    told = Replay(
        Material(a_setting(ALL_TO_ONE), (), (again, late)), ALL_TO_ONE, RuleMode.FIRST
    ).run()
    assert told.waits[late.ticket_id] == 9 * 60, "ann works at the one that came back"


def test_what_was_over_before_anybody_had_it_is_no_wait() -> None:
    opened = START + timedelta(hours=6)
    spam = msgspec.structs.replace(
        a_ticket(0),
        opened_at=opened,
        trail=(
            Entry(opened, Mark.OPENED, "normal"),
            Entry(opened + timedelta(minutes=1), Mark.FREED, "closed"),
        ),
        handed=(),
    )
    nobody = a_setting(ALL_TO_ONE, an_agent("bob", "two", 1))
    told = compared(Material(nobody, (), (spam,)), ALL_TO_ONE, RuleMode.FIRST)
    assert (told.current.tickets, told.current.waiting, told.recorded.waiting) == (1, 0, 0)


def test_what_cannot_be_replayed_is_counted() -> None:
    imported = msgspec.structs.replace(a_ticket(0), facts=Facts(channel="import"))
    old = msgspec.structs.replace(a_ticket(1), trail=())
    told = compared(Material(a_setting(ALL_TO_ONE), (), (imported, old)), SHARED, RuleMode.FIRST)
    assert told.left_out == {"imported": 1, "before trails were kept": 1}
    assert told.recorded.tickets == told.wanted.tickets == 0


def test_lines_are_read_in_any_order_and_a_cut_history_is_refused() -> None:
    material = Material(a_setting(ALL_TO_ONE), (), as_it_happened(3))
    lines = [msgspec.json.encode(one) for one in (material.setting, *material.tickets)]
    assert read_material([*reversed(lines), b""]) == material
    with pytest.raises(msgspec.DecodeError, match="cut off"):
        read_material(lines[1:])
