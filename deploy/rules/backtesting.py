"""`ticketing routing backtest` on a terminal: fetch the history, replay it in this process, print the differences."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import httpx2
import msgspec

from deploy.imports.access import address, bearer
from deploy.local.problems import CannotStart
from deploy.rules.files import RuleFile
from services.routing.api.documents import RulesBody
from services.routing.domain.agent import Agent, Group
from services.routing.domain.backtest import Backtest, Figures, Material, backtest, read_material
from services.routing.domain.hours import Calendars
from services.routing.domain.people import check_rules
from services.routing.domain.roster import Roster
from shared.errors import Invalid
from shared.security.principal import Role

_READ_SECONDS = 120.0
_OK = 200


def fetch(days: int, url: str | None, token: str | None, keep: BinaryIO | None) -> Iterator[bytes]:
    """The history's lines as they come; written to `keep` as well, to be replayed again.

    Raises:
        CannotStart: the product does not answer, refuses, or stops in the middle.
    """
    headers = {
        "Authorization": f"Bearer {bearer(token, subject='ticketing-backtest', role=Role.SUPERVISOR)}",
        "Accept-Encoding": "identity",
    }
    try:
        with (
            httpx2.Client(base_url=address(url), timeout=_READ_SECONDS, trust_env=False) as http,
            http.stream("GET", f"/v1/routing/history?days={days}", headers=headers) as answer,
        ):
            if answer.status_code != _OK:
                answer.read()
                raise CannotStart(f"the history is refused: {answer.status_code} {answer.text}")
            for line in answer.iter_lines():
                raw = line.encode()
                if keep is not None:
                    keep.write(raw + b"\n")
                yield raw
    except httpx2.TransportError as error:
        raise CannotStart(f"the history broke off: {error}") from None


def run(
    file: RuleFile,
    *,
    days: int,
    history: Path | None,
    save: Path | None,
    as_json: bool,
    url: str | None,
    token: str | None,
) -> None:
    """Replay under the rules of the file and print.

    Raises:
        CannotStart: there is no history, or the rules cannot be used with it.
    """
    material = _material(history, lambda keep: fetch(days, url, token, keep), save)
    body = msgspec.convert(file.document, RulesBody)
    rules = body.ordered()
    try:
        check_rules(_known(material), rules, body.mode)
    except Invalid as refusal:
        raise file.refused(list(refusal.errors)) from None
    told = backtest(material, rules, body.mode)
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    else:
        _show(told, material, file.name)


def _material(
    history: Path | None, fetched: Callable[[BinaryIO | None], Iterator[bytes]], save: Path | None
) -> Material:
    try:
        if history is not None:
            with history.open("rb") as source:
                return read_material(source)
        with _opened(save) as keep:
            return read_material(fetched(keep))
    except OSError as error:
        raise CannotStart(f"{history or save} cannot be used: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CannotStart(f"the history cannot be read: {error}") from None


@contextmanager
def _opened(save: Path | None) -> Iterator[BinaryIO | None]:
    if save is None:
        yield None
        return
    with save.open("wb") as target:
        yield target


def _known(material: Material) -> Roster:
    """Who and what is there at the end of the window, for the rules to name."""
    setting = material.setting
    profiles = {one.agent_id: one.profile for one in setting.agents}
    profiles |= {one.agent_id: one.profile for one in material.moments if one.profile is not None}
    return Roster(
        agents=[
            Agent(agent_id=name, position=place, profile=profile)
            for place, (name, profile) in enumerate(profiles.items())
        ],
        groups=[Group(group_id=name, profile=one) for name, one in setting.groups.items()],
        calendars=Calendars(setting.calendars),
    )


def _show(told: Backtest, material: Material, name: str) -> None:
    _say(
        f"Tickets that came from {told.counted_from:%Y-%m-%d %H:%M} to {told.until:%Y-%m-%d %H:%M} UTC,"
        f" replayed under version {material.setting.rules_version} and under {name}:"
    )
    rows: list[tuple[str, Callable[[Figures], Any]]] = [
        ("tickets", lambda one: one.tickets),
        ("assigned", lambda one: one.assigned),
        ("waiting at the end", lambda one: one.waiting),
        ("without a group", lambda one: one.unrouted),
        ("wait p50", lambda one: _duration(one.wait_p50)),
        ("wait p90", lambda one: _duration(one.wait_p90)),
        ("wait p99", lambda one: _duration(one.wait_p99)),
        ("first answer late", lambda one: f"{one.breached} of {one.promised}"),
        (
            "tickets per agent",
            lambda one: " / ".join(f"{each:g}" for each in one.tickets_per_agent),
        ),
        ("load spread", lambda one: f"{one.load_spread:.2f}"),
    ]
    _say(f"{'':<20}{'happened':>18}{'replay, now':>18}{'replay, new':>18}")
    for what, of in rows:
        figures = (told.recorded, told.current, told.wanted)
        _say(f"{what:<20}" + "".join(f"{of(one)!s:>18}" for one in figures))
    for group in sorted({*told.current.by_group, *told.wanted.by_group}):
        counts = (told.current.by_group.get(group, 0), told.wanted.by_group.get(group, 0))
        _say(f"{'  ' + group:<20}{'':>18}{counts[0]:>18}{counts[1]:>18}")
    if told.same_agent_share is not None:
        _say(
            f"The replay of the rules in force gave {told.same_agent_share:.0%} of the tickets to the"
            " agent who really got them."
        )
    for reason, count in told.left_out.items():
        _say(f"Left out: {count} ({reason})")
    for note in told.notes:
        _say(f"Note: {note}")


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours} h {rest // 60:02} min" if hours else f"{rest // 60} min {rest % 60:02} s"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
