"""The past of an installation as a backtest needs it: routing's history and sla's timelines, fetched or saved."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

import httpx2
import msgspec

from deploy.imports.access import address, bearer
from deploy.local.problems import CannotStart
from services.routing.domain.backtest import Material, Setting, read_material
from services.sla.backtest import Trial
from services.sla.backtest.timelines import Promises
from shared.security.principal import Role

_READ_SECONDS: Final = 120.0
_OK: Final = 200
_OF_ROUTING: Final = frozenset({"setting", "agent", "ticket"})


class Past(msgspec.Struct, frozen=True):
    """A window.

    Attributes:
        material: what a replay needs.
        trial: the promises in force; None: they were not saved with it.
        timelines: what happened to each ticket, as sla told it; decoded when it is judged.
    """

    material: Material
    trial: Trial | None
    timelines: dict[UUID, bytes]


class _Named(msgspec.Struct):
    line: str
    ticket_id: UUID | None = None


def read_saved(file: Path) -> Past:
    """A window that was saved.

    Raises:
        CannotStart: it cannot be read.
    """
    with _readable(file), file.open("rb") as source:
        return _read(source)


def fetch(days: int, url: str | None, token: str | None, save: Path | None) -> Past:
    """The last days, of both services; written to `save` as well, to be replayed again.

    Raises:
        CannotStart: the product does not answer, refuses, or stops in the middle.
    """
    headers = {
        "Authorization": f"Bearer {bearer(token, subject='ticketing-backtest', role=Role.SUPERVISOR)}",
        "Accept-Encoding": "identity",
    }
    with (
        _readable(save),
        _opened(save) as keep,
        httpx2.Client(
            base_url=address(url), headers=headers, timeout=_READ_SECONDS, trust_env=False
        ) as http,
    ):
        return _read(_kept(_fetched(http, days), keep))


def _fetched(http: httpx2.Client, days: int) -> Iterator[bytes]:
    until = None
    for raw in _lines(http, "/v1/routing/history", {"days": str(days)}):
        if until is None:
            until = msgspec.json.decode(raw, type=Setting).until
        yield raw
    if until is None:
        raise CannotStart("the history broke off: it has no beginning")
    asked, is_whole = {"days": str(days), "until": until.isoformat()}, False
    for raw in _lines(http, "/v1/sla/timelines", asked):
        name = msgspec.json.decode(raw, type=_Named).line
        is_whole = name == "end"
        if name != "progress":
            yield raw
    if not is_whole:
        raise CannotStart("the timelines broke off; the log of sla says why")


def _lines(http: httpx2.Client, path: str, asked: dict[str, str]) -> Iterator[bytes]:
    try:
        with http.stream("GET", path, params=asked) as answer:
            if answer.status_code != _OK:
                answer.read()
                raise CannotStart(f"{path} is refused: {answer.status_code} {answer.text}")
            for line in answer.iter_lines():
                if line.strip():
                    yield line.encode()
    except httpx2.TransportError as error:
        raise CannotStart(f"{path} broke off: {error}") from None


def _read(lines: Iterable[bytes]) -> Past:
    of_routing: list[bytes] = []
    trial: Trial | None = None
    timelines: dict[UUID, bytes] = {}
    name_of: Callable[[bytes], _Named] = msgspec.json.Decoder(_Named).decode
    for raw in lines:
        if not raw.strip():
            continue
        named = name_of(raw)
        if named.line in _OF_ROUTING:
            of_routing.append(raw)
        elif named.line == "timeline" and named.ticket_id is not None:
            timelines[named.ticket_id] = raw
        elif named.line == "promises":
            trial = msgspec.json.decode(raw, type=Promises).trial
    return Past(read_material(of_routing), trial, timelines)


def _kept(lines: Iterable[bytes], keep: BinaryIO | None) -> Iterator[bytes]:
    for raw in lines:
        if keep is not None:
            keep.write(raw + b"\n")
        yield raw


@contextmanager
def _opened(save: Path | None) -> Iterator[BinaryIO | None]:
    if save is None:
        yield None
        return
    with save.open("wb") as target:
        yield target


@contextmanager
def _readable(file: Path | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotStart(f"{file} cannot be used: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CannotStart(f"the history cannot be read: {error}") from None
