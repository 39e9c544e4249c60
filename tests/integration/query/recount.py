"""Every figure counted again from the bytes of the events, in plain Python, knowing no projection and no SQL.

It is written from the sentences of the catalogue and slow on purpose: a second opinion is worth what it does not share.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

Row = dict[str, Any]
ENDED: Final = {"solved", "closed"}
DAY: Final = timedelta(days=1)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc_day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def days_of(begin: datetime, end: datetime) -> Iterable[tuple[date, float]]:
    """Each UTC day that a stretch of time touches, with its seconds in it."""
    at = begin
    while at < end:
        day = utc_day(at)
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + DAY
        until = min(midnight, end)
        yield day, (until - at).total_seconds()
        at = until


class Recount:
    """What happened, ticket by ticket and agent by agent.

    Args:
        raws: stored bytes of events, each stream in its order.
        now: what still runs is counted until then.
    """

    def __init__(self, raws: Iterable[bytes], now: datetime) -> None:
        self.now = now
        streams: dict[str, list[Row]] = defaultdict(list)
        people: dict[str, list[Row]] = defaultdict(list)
        for raw in raws:
            event = json.loads(raw)
            if event["type"].startswith("agent."):
                people[event["agent_id"]].append(event)
            else:
                streams[event["ticket_id"]].append(event)
        self.tickets = [self._ticket(events) for events in streams.values()]
        self.clocks = [clock for ticket in self.tickets for clock in ticket["clocks"]]
        self.stints = [stint for ticket in self.tickets for stint in ticket["stints"]]
        self.people = {agent: self._person(events) for agent, events in people.items()}
        self.surveys = [one for ticket in self.tickets for one in ticket["surveys"]]
        self.agent_days = self._agent_days(list(streams.values()))

    # A ticket's life.

    def _ticket(self, events: list[Row]) -> Row:
        (opened,) = [one for one in events if one["type"] == "ticket.opened.v1"]
        created = moment(opened["occurred_at"])
        to = {"ticket.resolved.v1": "solved", "ticket.closed.v1": "closed"}
        moves = {"ticket.status_changed.v1", "ticket.reopened.v1", *to}
        statuses = [(created, opened["category"])] + [
            (moment(one["occurred_at"]), to.get(one["type"]) or one["category"])
            for one in events
            if one["type"] in moves
        ]
        status = statuses[-1][1]
        is_open = status not in ENDED
        resolved = [
            moment(one["occurred_at"]) for one in events if one["type"] == "ticket.resolved.v1"
        ]
        requester = opened["requester"]
        answers = [
            moment(one["occurred_at"])
            for one in events
            if one["type"] == "ticket.agent_replied.v1"
            and not one.get("is_automatic")
            and one["actor"]["id"] != requester["id"]
        ]
        priorities = [
            one["priority"] for one in events if one["type"] == "ticket.priority_changed.v1"
        ]
        groups = [one for one in events if one["type"] == "assignment.group_changed.v1"]
        free = groups[:1] and (
            groups[0]["mode"] == "rule" or moment(groups[0]["occurred_at"]) <= created
        )
        ticket: Row = {
            "ticket_id": opened["ticket_id"],
            "number": opened["number"],
            "created": created,
            "day": utc_day(created),
            "status": status,
            "is_open": is_open,
            "channel": opened["via"],
            "type": opened.get("ticket_type"),
            "language": opened.get("language"),
            "customer": requester["id"],
            "organisation": requester.get("organization"),
            "priority": priorities[-1] if priorities else opened["priority"],
            "group": groups[-1].get("group_id") if groups else None,
            "handoffs": len(groups) - (1 if free else 0),
            "first_reply": (answers[0] - created).total_seconds() if answers else None,
            "resolution": (resolved[-1] - created).total_seconds()
            if resolved and not is_open
            else None,
            "resolutions": len(resolved),
            "reopens": sum(one["type"] == "ticket.reopened.v1" for one in events),
            "agent_messages": len(answers),
            "customer_messages": 1
            + sum(one["type"] == "ticket.customer_replied.v1" for one in events),
            "age": (self.now - created).total_seconds(),
        }
        # What of the agent's time ends with the ticket.
        ends = [
            at
            for (_, before), (at, to) in pairwise(statuses)
            if before not in ENDED and to in ENDED
        ]
        over = None if is_open else ends[-1]
        ticket["stints"], ticket["assignee"] = self._stints(ticket, events, over, statuses)
        ticket["clocks"] = self._clocks(ticket, events)
        ticket["surveys"] = self._surveys(ticket, events)
        scores = [one["score"] for one in events if one["type"] == "ticket.satisfaction_rated.v1"]
        ticket["scores"] = scores
        ticket["is_breached"] = any(clock["is_breached"] for clock in ticket["clocks"])
        ticket["is_at_risk"] = any(clock["is_at_risk"] for clock in ticket["clocks"])
        policies = [one["policy_id"] for one in events if one["type"] == "sla.policy_applied.v1"]
        ticket["policy"] = policies[-1] if policies else None
        return ticket

    def _surveys(self, ticket: Row, events: list[Row]) -> list[Row]:
        """What was asked, each with all that was answered to it."""
        found = []
        for one in events:
            if one["type"] != "ticket.satisfaction_offered.v1":
                continue
            answers = [
                each
                for each in events
                if each["type"] == "ticket.satisfaction_rated.v1"
                and each["survey_id"] == one["survey_id"]
            ]
            last = answers[-1] if answers else {}
            scores = [each["score"] for each in answers]
            at = moment(one["occurred_at"])
            found.append(
                {
                    "ticket": ticket, "at": at, "day": utc_day(at), "group": one.get("group_id"),
                    "agent": one.get("agent_id"), "score": last.get("score"),
                    "reason": last.get("reason"), "comment": last.get("comment"),
                    "good_to_bad": went(scores, "good", "bad"), "bad_to_good": went(scores, "bad", "good"),
                }
            )  # fmt: skip
        return found

    def _stints(
        self, ticket: Row, events: list[Row], over: datetime | None, statuses: list[Any]
    ) -> tuple[list[Row], str | None]:
        """Each time that an agent got it, and who has it now."""
        moves = [
            one
            for one in events
            if one["type"] in {"assignment.assigned.v1", "assignment.unassigned.v1"}
        ]
        stints = []
        for place, one in enumerate(moves):
            if one["type"] != "assignment.assigned.v1":
                continue
            begin = moment(one["occurred_at"])
            following = moves[place + 1 : place + 2]
            end = moment(following[0]["occurred_at"]) if following else over or self.now
            end = max(end, begin)  # solved before it was given to anybody: a fact that came late
            turns = zip(statuses, [*statuses[1:], (self.now, None)], strict=True)
            handled = sum(
                max((min(until, end) - max(since, begin)).total_seconds(), 0.0)
                for (since, status), (until, _) in turns
                if status in {"new", "open"}
            )
            stints.append(
                {
                    "ticket": ticket,
                    "agent": one["agent_id"],
                    "group": one.get("group_id"),
                    "begin": begin,
                    "end": end,
                    "held": (end - begin).total_seconds(),
                    "handled": handled,
                }
            )
        has = moves and moves[-1]["type"] == "assignment.assigned.v1"
        return stints, (moves[-1]["agent_id"] if has else None)

    def _clocks(self, ticket: Row, events: list[Row]) -> list[Row]:
        clocks: dict[tuple[str, int], Row] = {}
        for one in events:
            if not one["type"].startswith("sla.") or one["type"] == "sla.policy_applied.v1":
                continue
            clock = clocks.setdefault(
                (one["metric"], one["cycle"]),
                {"ticket": ticket, "metric": one["metric"], "is_met": False, "is_breached": False,
                 "is_warned": False, "elapsed": None, "category": None, "cause": None,
                 "breach_group": None, "breach_agent": None},
            )  # fmt: skip
            clock["policy"], clock["priority"] = one["policy_id"], one["priority"]
            match one["type"]:
                case "sla.met.v1":
                    clock["is_met"], clock["elapsed"] = True, one["elapsed_seconds"]
                case "sla.warning.v1":
                    clock["is_warned"] = True
                case "sla.breached.v1":
                    clock |= {
                        "is_breached": True, "category": one.get("category"), "cause": one.get("cause"),
                        "breach_group": one.get("group_id"), "breach_agent": one.get("agent_id"),
                    }  # fmt: skip
                case "sla.breach_retracted.v1":
                    clock["is_breached"] = False
        for clock in clocks.values():
            clock["is_decided"] = clock["is_met"] or clock["is_breached"]
            clock["is_attained"] = clock["is_met"] and not clock["is_breached"]
            clock["is_at_risk"] = (
                clock["is_warned"] and not clock["is_met"] and not clock["is_breached"]
            )
        return list(clocks.values())

    # An agent's days.

    def _person(self, events: list[Row]) -> Row:
        profiles = [one["profile"] for one in events if one["type"] == "agent.defined.v1"]
        turns = [
            (moment(one["occurred_at"]), one["presence"])
            for one in events
            if one["type"] == "agent.presence_changed.v1"
        ]
        ends = [at for at, _ in turns[1:]] + [self.now]
        online = [(at, end) for (at, to), end in zip(turns, ends, strict=True) if to == "online"]
        return {
            "capacity": profiles[-1].get("capacity"),
            "presence": turns[-1][1] if turns else "offline",
            "online": online,
        }

    def _agent_days(self, streams: list[list[Row]]) -> list[Row]:
        days: dict[tuple[str, date], Row] = {}

        def of(agent: str, day: date) -> Row:
            return days.setdefault(
                (agent, day),
                {"agent": agent, "day": day, "solved": 0, "assigned": 0, "replies": 0, "notes": 0,
                 "held": 0.0, "online": 0.0, "capacity": self.people.get(agent, {}).get("capacity")},
            )  # fmt: skip

        for stint in self.stints:
            of(stint["agent"], utc_day(stint["begin"]))["assigned"] += 1
            for day, seconds in days_of(stint["begin"], stint["end"]):
                of(stint["agent"], day)["held"] += seconds
        for agent, person in self.people.items():
            for begin, end in person["online"]:
                for day, seconds in days_of(begin, end):
                    of(agent, day)["online"] += seconds
        counted = {
            "ticket.resolved.v1": "solved",
            "ticket.agent_replied.v1": "replies",
            "ticket.note_added.v1": "notes",
        }
        for one in (event for events in streams for event in events):
            name = counted.get(one["type"])
            if name and one["actor"]["kind"] == "agent" and not one.get("is_automatic"):
                of(one["actor"]["id"], utc_day(moment(one["occurred_at"])))[name] += 1
        return list(days.values())


# The figures.


def went(scores: Sequence[str], before: str, after: str) -> bool:
    return (before, after) in pairwise(scores)


def share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def percentile(values: Iterable[float | None], of_100: int) -> float | None:
    """Between the two neighbours in proportion, as statisticians' type 7."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    place = (len(known) - 1) * of_100 / 100
    below = int(place)
    above = min(below + 1, len(known) - 1)
    return known[below] + (known[above] - known[below]) * (place - below)


def _business(metric: str, of_100: int) -> Callable[[list[Row]], Any]:
    return lambda rows: percentile(
        (one["elapsed"] for one in rows if one["metric"] == metric and one["is_met"]), of_100
    )


def _occupancy(rows: list[Row]) -> float | None:
    known = [one for one in rows if one["capacity"]]
    return share(
        sum(one["held"] for one in known), sum(one["online"] * one["capacity"] for one in known)
    )


FIGURES: Final[dict[str, Callable[[list[Row]], Any]]] = {
    "tickets": len,
    "clocks": len,
    "assignments": len,
    "open": lambda rows: sum(one["is_open"] for one in rows),
    "solved": lambda rows: sum(one["resolution"] is not None for one in rows),
    "breached": lambda rows: sum(one["is_breached"] for one in rows),
    "customers": lambda rows: len({one["customer"] for one in rows}),
    "replied": lambda rows: sum(one["first_reply"] is not None for one in rows),
    **{
        f"{name}_p{of_100}": lambda rows, name=name, of_100=of_100: percentile(
            (one[name] for one in rows), of_100
        )
        for name in ("first_reply", "resolution")
        for of_100 in (50, 90, 99)
    },
    **{
        f"{metric}_business_p{of_100}": _business(metric, of_100)
        for metric in ("first_reply", "resolution")
        for of_100 in (50, 90, 99)
    },
    "decided": lambda rows: sum(one["is_decided"] for one in rows),
    "attained": lambda rows: sum(one["is_attained"] for one in rows),
    "missed": lambda rows: sum(one["is_breached"] for one in rows),
    "attained_share": lambda rows: share(
        sum(one["is_attained"] for one in rows), sum(one["is_decided"] for one in rows)
    ),
    "reopened": lambda rows: sum(one["reopens"] > 0 for one in rows),
    "reopened_share": lambda rows: share(sum(one["reopens"] > 0 for one in rows), len(rows)),
    "one_touch_share": lambda rows: share(
        sum(one["resolutions"] > 0 and one["agent_messages"] <= 1 for one in rows),
        sum(one["resolutions"] > 0 for one in rows),
    ),
    "agent_messages_mean": lambda rows: mean([one["agent_messages"] for one in rows]),
    "customer_messages_mean": lambda rows: mean([one["customer_messages"] for one in rows]),
    "handed_over_share": lambda rows: share(sum(one["handoffs"] > 0 for one in rows), len(rows)),
    "age_mean": lambda rows: mean([one["age"] for one in rows]),
    "age_max": lambda rows: max((one["age"] for one in rows), default=None),
    "unassigned": lambda rows: sum(one["assignee"] is None for one in rows),
    "handle_mean": lambda rows: mean([one["handled"] for one in rows]),
    "handle_p90": lambda rows: percentile((one["handled"] for one in rows), 90),
    "held_mean": lambda rows: mean([one["held"] for one in rows]),
    "surveyed": len,
    "rated": lambda rows: sum(one["score"] is not None for one in rows),
    "rated_good": lambda rows: sum(one["score"] == "good" for one in rows),
    "rated_bad": lambda rows: sum(one["score"] == "bad" for one in rows),
    "good_share": lambda rows: share(
        sum(one["score"] == "good" for one in rows), sum(one["score"] is not None for one in rows)
    ),
    "rated_share": lambda rows: share(sum(one["score"] is not None for one in rows), len(rows)),
    "good_to_bad": lambda rows: sum(one["good_to_bad"] for one in rows),
    "bad_to_good": lambda rows: sum(one["bad_to_good"] for one in rows),
    "commented": lambda rows: sum(one["comment"] is not None for one in rows),
    "agent_solved": lambda rows: sum(one["solved"] for one in rows),
    "agent_assigned": lambda rows: sum(one["assigned"] for one in rows),
    "agent_replies": lambda rows: sum(one["replies"] for one in rows),
    "agent_notes": lambda rows: sum(one["notes"] for one in rows),
    "online_seconds": lambda rows: sum(one["online"] for one in rows),
    "occupancy": _occupancy,
}


def _age_class(ticket: Row) -> str:
    hours = ticket["age"] / 3600
    classes = [(1, "1: under an hour"), (24, "2: under a day"), (72, "3: under 3 days"),
               (168, "4: under a week"), (720, "5: under 30 days")]  # fmt: skip
    return next((name for limit, name in classes if hours < limit), "6: older")


def _key(name: str) -> Callable[[Row], Any]:
    return lambda row: row[name]


def _of_ticket(name: str) -> Callable[[Row], Any]:
    return lambda row: row["ticket"][name]


_TICKET_KEYS: Final = {
    name: _key(name)
    for name in (
        "day", "status", "channel", "group", "type", "priority", "customer", "organisation", "policy", "language",
    )
} | {"age": _age_class}  # fmt: skip
_CLOCK_KEYS: Final = {
    "metric": _key("metric"),
    "policy": _key("policy"),
    "priority": _key("priority"),
    "group": _of_ticket("group"),
    "day": _of_ticket("day"),
}
_BREACH_KEYS: Final = {
    "category": _key("category"),
    "cause": _key("cause"),
    "group": _key("breach_group"),
    "agent": _key("breach_agent"),
    "metric": _key("metric"),
}
_STINT_KEYS: Final = {
    "agent": _key("agent"),
    "group": _key("group"),
    "type": _of_ticket("type"),
    "channel": _of_ticket("channel"),
}
_SURVEY_KEYS: Final = {
    name: _key(name) for name in ("day", "group", "agent", "score", "reason")
} | {name: _of_ticket(name) for name in ("channel", "type")}
_DAY_KEYS: Final = {"agent": _key("agent"), "day": _key("day")}


def report(
    count: Recount,
    name: str,
    by: str,
    figures: Sequence[str],
    *,
    opened_from: datetime | None = None,
    opened_before: datetime | None = None,
    group: str | None = None,
    channel: str | None = None,
) -> dict[Any, dict[str, Any]]:
    """Key → figures of one report; what the figures are counted over is said by the report's name."""
    match name:
        case "business-time" | "attainment":
            rows, keys = count.clocks, _CLOCK_KEYS
            at, of_group = _of_ticket("created"), _of_ticket("group")
        case "breach-causes":
            rows = [clock for clock in count.clocks if clock["is_breached"]]
            keys, at, of_group = _BREACH_KEYS, _of_ticket("created"), _of_ticket("group")
        case "handle-time":
            rows, keys, at, of_group = count.stints, _STINT_KEYS, _key("begin"), _key("group")
        case "satisfaction":
            rows, keys, at, of_group = count.surveys, _SURVEY_KEYS, _key("at"), _key("group")
        case "agents":
            rows, keys, of_group = count.agent_days, _DAY_KEYS, _key("agent")
            at = lambda row: datetime(*row["day"].timetuple()[:3], tzinfo=UTC)  # noqa: E731
        case _:
            rows = [one for one in count.tickets if name != "backlog" or one["is_open"]]
            keys, at, of_group = _TICKET_KEYS, _key("created"), _key("group")
    chosen: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        of_channel = row["ticket"]["channel"] if "ticket" in row else row.get("channel")
        if (
            (opened_from is None or at(row) >= opened_from)
            and (opened_before is None or at(row) < opened_before)
            and (group is None or of_group(row) == group)
            and (channel is None or of_channel == channel)
        ):
            chosen[keys[by](row)].append(row)
    return {key: {one: FIGURES[one](rows) for one in figures} for key, rows in chosen.items()}
