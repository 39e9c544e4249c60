"""Durable creates a second over HTTP, in turn with a bare handler that stores the same bytes."""

from statistics import median
from typing import Final

import msgspec

from deploy.local import ports
from tests.bench.bare import SCHEMA
from tests.bench.figures import Figure, Goal, Missed, Report, percentile
from tests.bench.load import Load, hammer
from tests.bench.memory import core_seconds
from tests.bench.openings import openings
from tests.bench.organisation import organise
from tests.bench.product import Product, run
from tests.bench.scale import Scale

SECTION: Final = "creates"
_BARE: Final = "bare-{server}"
_SERVERS: Final = ("granian", "uvicorn")
_CHOSEN: Final = "uvicorn"
"""What `shared.service` runs on."""

_GOAL: Final = Goal(at_least=1_000, share_of_limit=0.6)
_OTHERS: Final = ("routing", "sla", "query")


class Round(msgspec.Struct, frozen=True):
    """One load on one server, with the processor time that it cost."""

    load: Load
    server_ms: float
    postgres_ms: float


def measure(product: Product, scale: Scale, report: Report) -> None:
    """Compare both HTTP servers with intake alone, then all services at work."""
    with product.connect() as connection:
        connection.execute(SCHEMA)
    for server in _SERVERS:
        _start_bare(product, server)
    _alone(product, scale, report)
    product.stop(_BARE.format(server="granian"))
    product.start_services("intake", *_OTHERS)
    organise(product, scale)
    _together(product, scale, report)
    product.stop(_BARE.format(server="uvicorn"))


def _alone(product: Product, scale: Scale, report: Report) -> None:
    """Intake with its relay at work and nobody reading, beside the bare handler on the same HTTP server.

    The HTTP servers take turns, and so does who begins, so that a machine that gets busier harms both alike.
    """
    ours: dict[tuple[str, int], list[Round]] = {}
    limits: dict[tuple[str, int], list[Round]] = {}
    for turn in range(scale.create_rounds):
        for server in _SERVERS if turn % 2 else reversed(_SERVERS):
            bare, intake = _BARE.format(server=server), _start_intake(product, server)
            for connections in scale.connections:
                key = server, connections
                limit = _round(product, scale, bare, connections, scale.create_seconds)
                limits.setdefault(key, []).append(limit)
                our = _round(product, scale, intake, connections, scale.create_seconds)
                ours.setdefault(key, []).append(our)
            product.stop(intake)
    for server in _SERVERS:
        for connections in scale.connections:
            _add(
                report,
                f"creates, intake alone, {server}, {connections} connections",
                ours[server, connections],
                limits[server, connections],
                f"bare handler on {server}",
                Goal(share_of_limit=0.6) if server == _CHOSEN else None,
            )


def _together(product: Product, scale: Scale, report: Report) -> None:
    """All four services at work on what is created; the bare handler with the four at rest."""
    for connections in scale.connections:
        name = f"creates, all services at work, {connections} connections"
        _at_work(product, scale, report, name, connections, goal=_GOAL)
    most = scale.connections[-1]
    name = f"the same with an Idempotency-Key each, {most} connections"
    _at_work(product, scale, report, name, most, goal=None, with_keys=True)


def _at_work(
    product: Product,
    scale: Scale,
    report: Report,
    name: str,
    connections: int,
    *,
    goal: Goal | None,
    with_keys: bool = False,
) -> None:
    run(product.settle)
    bare = _BARE.format(server="uvicorn")
    limits = [_round(product, scale, bare, connections, scale.create_seconds)]
    before = product.core_seconds()
    ours = _round(
        product, scale, "intake", connections, scale.sustained_seconds, with_keys=with_keys
    )
    behind = run(product.settle)
    # To the end of what the load has set in motion: a service that is behind would look cheap.
    spent = {name: seconds - before[name] for name, seconds in product.core_seconds().items()}
    limits.append(_round(product, scale, bare, connections, scale.create_seconds))
    _add(
        report,
        name,
        [ours],
        limits,
        "bare handler, the services at rest",
        goal,
        others_finished_after_seconds=behind,
        **{f"{name}_core_ms_each": 1_000 * spent[name] / ours.load.answered for name in spent},
    )


def _add(
    report: Report,
    name: str,
    ours: list[Round],
    limits: list[Round],
    limit_name: str,
    goal: Goal | None,
    **more: float,
) -> None:
    latencies = [one for round_ in ours for one in round_.load.latencies]
    limit_latencies = [one for round_ in limits for one in round_.load.latencies]
    report.add(
        Figure(
            section=SECTION,
            name=name,
            value=median(round_.load.rate for round_ in ours),
            unit="/s",
            limit=median(round_.load.rate for round_ in limits),
            limit_name=limit_name,
            goal=goal,
            core_ms=median(round_.server_ms for round_ in ours),
            limit_core_ms=median(round_.server_ms for round_ in limits),
            rounds=[round_.load.rate for round_ in ours],
            limit_rounds=[round_.load.rate for round_ in limits],
            details={
                "p50_ms": percentile(latencies, 0.5) * 1_000,
                "p99_ms": percentile(latencies, 0.99) * 1_000,
                "limit_p50_ms": percentile(limit_latencies, 0.5) * 1_000,
                "limit_p99_ms": percentile(limit_latencies, 0.99) * 1_000,
                "postgres_core_ms": median(round_.postgres_ms for round_ in ours),
                "limit_postgres_core_ms": median(round_.postgres_ms for round_ in limits),
                "load_core_share": median(round_.load.own_core_share for round_ in ours),
                **more,
            },
        )
    )


def _round(
    product: Product,
    scale: Scale,
    name: str,
    connections: int,
    seconds: float,
    *,
    with_keys: bool = False,
) -> Round:
    port = _port(product, name)
    requests = openings(port, product.token(), with_keys=with_keys)
    pids = product.pid(name), product.pid("postgres")
    stored = _stored(product, name)
    before = [core_seconds(pid) for pid in pids]
    load: Load = run(
        lambda: hammer(
            (ports.LOOPBACK, port),
            requests,
            connections=connections,
            seconds=seconds,
            warm_seconds=scale.warm_seconds,
        )
    )
    spent = [core_seconds(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]
    stored = _stored(product, name) - stored
    if stored != load.answered:
        raise Missed(f"{name} answered 201 {load.answered} times and stored {stored} tickets")
    return Round(load, *(1_000 * one / load.answered for one in spent))


def _stored(product: Product, name: str) -> int:
    # Intake's log tells of more than tickets, such as the first use of a token.
    tickets = "intake.intake_events WHERE topic = 'ticket.opened.v1'"
    table = "bare_events" if name.startswith("bare") else tickets
    with product.connect() as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def _port(product: Product, name: str) -> int:
    return product.stack.folder.port("intake" if name.startswith("intake") else name)


def _start_bare(product: Product, server: str) -> None:
    name = _BARE.format(server=server)
    environment = {
        "BENCH_DATABASE_URL": product.stack.postgres.conninfo(database="ticketing"),
        "BENCH_PORT": str(_port(product, name)),
    }
    _start(product, name, ("bare", server), environment)


def _start_intake(product: Product, server: str) -> str:
    """Intake on this HTTP server; its name as a child."""
    if server == _CHOSEN:
        product.start_services("intake")
        return "intake"
    name = f"intake-{server}"
    _start(product, name, ("intake", server), product.stack.environment("intake"))
    return name


def _start(
    product: Product, name: str, arguments: tuple[str, str], environment: dict[str, str]
) -> None:
    product.start_module(
        name,
        "tests.bench.serve",
        *arguments,
        environment=environment,
        ready=f"http://{ports.LOOPBACK}:{_port(product, name)}/readyz",
    )
