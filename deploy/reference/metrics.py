"""`docs/metrics.md`: every metric of the product, made from where they are defined."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from deploy.reference.markdown import code, page, table
from shared.observability import metrics

_SHARED: Final = ("http", "security", "process", "store", "relay", "consumer")
_INTRODUCTION: Final = """\
Every service shows its metrics at `/metrics` (through the front door: `/services/<service>/metrics`) in Prometheus text
format. Shared ones come first, then those of one service. No label holds an id or free text. The client library adds
`process_*` (memory, CPU, open files) and `python_*`. Rules that read them: `deploy/prometheus/rules/`; what to do when
one of them calls: [operations](operations.md)."""


def metrics_page() -> str:
    """The page."""
    rooms: dict[str, list[tuple[str, str, str, str]]] = {}
    for one in vars(metrics).values():
        if isinstance(one, Counter | Gauge | Histogram):
            rooms.setdefault(_room(one), []).append(_row(one))
    ordered = [*_SHARED, *(room for room in rooms if room not in _SHARED)]
    return page(
        "Metrics",
        _INTRODUCTION,
        *(_section(room, rooms[room]) for room in ordered),
        source="shared/observability/metrics.py",
        command="make reference",
    )


def _section(room: str, rows: list[tuple[str, str, str, str]]) -> str:
    who = "every service" if room in _SHARED else "this service only"
    return f"## {room}\n\nShown by {who}.\n\n" + table(
        ("metric", "kind", "labels", "what it says"), rows
    )


def _row(one: Counter | Gauge | Histogram) -> tuple[str, str, str, str]:
    (family,) = one.describe()
    name = f"{family.name}_total" if isinstance(one, Counter) else family.name
    labels = one._labelnames  # noqa: SLF001  # the library tells them nowhere else before the first sample
    return code(name), family.type, ", ".join(map(code, labels)), family.documentation


def _room(one: Counter | Gauge | Histogram) -> str:
    (family,) = one.describe()
    return str(family.name).split("_")[1]
