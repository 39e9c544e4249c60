"""How much a run does: bounded in count and in time, small enough to sit through."""

from typing import Final

import msgspec


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one run.

    Attributes:
        name: `full`, or `quick`, whose figures say only that the harness works.
        connections: keep-alive connections of the load, one measurement each.
        create_seconds: how long one round of creates is measured, after `warm_seconds`.
        create_rounds: rounds of product and limit in turn; the median counts.
        sustained_seconds: the same with all services at work.
        path_rate, path_seconds: the open-loop load whose way through the services is timed.
        stories: tickets with a whole life (12 events each) for relay, consumer and projections.
        rebuilt_stories: the same for a service that begins, and for rebuilds.
        plumbing_rounds: repetitions of each of those; the median counts.
        exported_rows: tickets written to Parquet.
        timers: open timers that stand by while deadlines pass.
        spread_dues, spread_seconds: deadlines that pass one after the other, evenly.
        sudden_dues: deadlines that pass at the same microsecond.
        routing_queued, routing_agents, routing_groups: what waits, who is there, in how many groups.
        routing_wave: tickets that one agent's coming frees. routing_calm_seconds: new tickets alone, before that.
        listed_tickets: open tickets behind the lists; list_rounds: how often each shape of list is asked.
        dashboards: live boards open at once; dashboard_seconds: how long their cost is measured.
        target_seconds: the promise of those tickets; all of them must be opened before the first is due.
    """

    name: str
    connections: tuple[int, ...]
    warm_seconds: float
    create_seconds: float
    create_rounds: int
    sustained_seconds: float
    path_rate: int
    path_seconds: float
    stories: int
    rebuilt_stories: int
    plumbing_rounds: int
    exported_rows: int
    timers: int
    spread_dues: int
    spread_seconds: float
    sudden_dues: int
    target_seconds: int
    routing_queued: int
    routing_agents: int
    routing_groups: int
    routing_wave: int
    routing_calm_seconds: float
    reply_tickets: int
    listed_tickets: int
    list_rounds: int
    dashboards: int
    dashboard_seconds: float


FULL: Final = Scale(
    name="full",
    connections=(32, 128),
    warm_seconds=1.0,
    create_seconds=4.0,
    create_rounds=2,
    sustained_seconds=15.0,
    path_rate=200,
    path_seconds=20.0,
    stories=10_000,
    rebuilt_stories=30_000,
    plumbing_rounds=3,
    exported_rows=1_000_000,
    timers=1_000_000,
    spread_dues=2_000,
    spread_seconds=20.0,
    sudden_dues=5_000,
    target_seconds=40,
    routing_queued=100_000,
    routing_agents=2_000,
    routing_groups=50,
    routing_wave=10_000,
    routing_calm_seconds=10.0,
    reply_tickets=40,
    listed_tickets=1_000_000,
    list_rounds=25,
    dashboards=500,
    dashboard_seconds=20.0,
)

QUICK: Final = Scale(
    name="quick",
    connections=(16,),
    warm_seconds=0.25,
    create_seconds=0.5,
    create_rounds=1,
    sustained_seconds=0.5,
    path_rate=50,
    path_seconds=3.0,
    stories=400,
    rebuilt_stories=400,
    plumbing_rounds=1,
    exported_rows=4_000,
    timers=2_000,
    spread_dues=100,
    spread_seconds=2.0,
    sudden_dues=100,
    target_seconds=5,
    routing_queued=400,
    routing_agents=40,
    routing_groups=5,
    routing_wave=300,
    routing_calm_seconds=1.0,
    reply_tickets=4,
    listed_tickets=4_000,
    list_rounds=2,
    dashboards=20,
    dashboard_seconds=3.0,
)
