"""The whole check of one service's log: seals, rows in commit order, chains by stream, signed days."""

import struct
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from deploy.audit.findings import Progress, Quiet, Verdict
from deploy.audit.lateness import Lateness
from deploy.audit.source import TABLES, Row, Source
from shared.audit import chain, merkle
from shared.audit.signing import PublicKeys

_STEP: Final = 1_000
_REMOVED: Final = "was removed"
_NOT_GIVEN: Final = "has a number that the log has not given yet"


class Verification:
    """Checks one log; memory does not grow with it.

    Args:
        source: the log.
        keys: whose signatures count; empty: signatures are not checked, which the verdict says.
        witnessed: day roots that somebody kept outside (hexadecimal by ISO day): each must still be there.
        witnessed_seals: hashes of seals that somebody kept outside (hexadecimal by number): likewise.
        sealing_since: what was recorded before may have been sealed late.
        progress: is told how far it is.
    """

    def __init__(
        self,
        source: Source,
        keys: PublicKeys,
        *,
        witnessed: dict[str, str] | None = None,
        witnessed_seals: dict[int, str] | None = None,
        sealing_since: datetime | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._source = source
        self._keys = keys
        self._witnessed = witnessed or {}
        self._witnessed_seals = dict(witnessed_seals or {})
        self._lateness = Lateness(sealing_since)
        self._progress = progress or Quiet()
        self.verdict = Verdict(source.service)
        self._sealed_to = 0
        self._bounds: list[int] = []  # last position of each run of seals of one day
        self._days: list[str] = []
        self._counts: Counter[str] = Counter()  # events by day
        self._seal_hashes: dict[int, bytes] = {}  # of the seals that days name

    def run(self) -> Verdict:
        """Check everything."""
        begun = time.perf_counter()
        if not self._keys:
            self.verdict.is_signed = False
            self.verdict.notes.append("signatures were not checked: no public key was given")
        days = self._source.days()
        total = self._total()
        self._progress.begin(f"{self._source.service}: rows against seals", total)
        self._check_rows({day["seal_number"] for day in days})
        self._progress.begin(f"{self._source.service}: chains and days", total)
        trees = self._check_streams()
        self._check_days(days, trees)
        self.verdict.seconds = time.perf_counter() - begun
        return self.verdict

    def _total(self) -> int:
        (row,) = self._source.fetch(
            "SELECT coalesce(sum(event_count), 0)::bigint AS total FROM {}", "audit_seals"
        )
        return int(row["total"])

    # --- rows against seals

    def _check_rows(self, named_seals: set[int]) -> None:
        rows = _Ahead(self._source.rows("commit"))
        previous, number, after = chain.NOTHING, 0, 0
        for stored in self._source.seals():
            self.verdict.seals += 1
            if stored["number"] != number + 1:
                self.verdict.add(
                    f"seals {number + 1} to {stored['number'] - 1} are missing, and with them the proof of"
                    f" positions {after + 1} to {stored['after']}",
                    position=after + 1,
                )
                for _ in rows.up_to(stored["after"]):
                    self._count_row()
                previous = bytes(stored["previous"])
            digest = self._check_seal(stored, previous, after)
            self._hold_against_witness(stored, digest)
            self._compare(stored, list(rows.up_to(stored["last"])))
            self._remember_day(stored)
            if stored["number"] in named_seals:
                self._seal_hashes[stored["number"]] = digest
            previous, number, after = digest, stored["number"], stored["last"]
        for lost, kept in sorted(self._witnessed_seals.items()):
            self.verdict.add(
                f"seal {lost}: the witness keeps {kept[:16]}…, the database has none; the newest is {number}",
                position=after + 1,
            )
        self._sealed_to = after
        self._check_unsealed(rows)

    def _hold_against_witness(self, stored: dict[str, Any], digest: bytes) -> None:
        kept = self._witnessed_seals.pop(stored["number"], None)
        if kept is not None and kept != digest.hex():
            self.verdict.add(
                f"seal {stored['number']}: the witness keeps {kept[:16]}…, the database has {digest.hex()[:16]}…",
                position=stored["after"] + 1,
            )

    def _check_seal(self, stored: dict[str, Any], previous: bytes, after: int) -> bytes:
        """The seal itself; what it says about its events is only worth something if this holds."""
        number = stored["number"]
        seal = chain.Seal(
            service=self._source.service,
            number=number,
            day=stored["day"],
            after=stored["after"],
            last=stored["last"],
            entries=bytes(stored["entries"]),
            previous=bytes(stored["previous"]),
            sealed_at=stored["sealed_at"],
        )
        digest = seal.hash()
        position = stored["after"] + 1
        if digest != bytes(stored["hash"]):
            self.verdict.add(f"seal {number} was changed", position=position)
        elif seal.previous != previous or (stored["after"] != after and previous != chain.NOTHING):
            self.verdict.add(f"seal {number} does not follow the one before", position=position)
        elif self._keys and not self._keys.have_signed(
            digest,
            _bytes(stored["signature"]),
            stored["key_id"],
            on=seal.sealed_at.astimezone(UTC).date(),
        ):
            self.verdict.add(f"seal {number} is not signed by a trusted key", position=position)
        return digest

    def _compare(self, stored: dict[str, Any], rows: Sequence[Row]) -> None:
        for _ in rows:
            self._count_row()
        try:
            sealed = list(chain.entries(bytes(stored["entries"])))
        except struct.error:
            return  # it was changed, which is told already
        if len(sealed) != stored["event_count"]:
            self.verdict.add(
                f"seal {stored['number']} counts {stored['event_count']} events and holds {len(sealed)}",
                position=stored["after"] + 1,
            )
        if len(sealed) == len(rows) and all(
            entry.leaf == row.leaf for entry, row in zip(sealed, rows, strict=True)
        ):
            self._check_moments(rows, stored["sealed_at"])
            return
        for what, stream, version, position in _differences(sealed, rows, stored["after"]):
            if what == _REMOVED:
                what = self._where_to(stream, version)  # noqa: PLW2901  # told more exactly
            self.verdict.add(what, stream=stream, version=version, position=position)

    def _where_to(self, stream: bytes, version: int) -> str:
        """What is not in its place may stand in another."""
        found = self._source.fetch(
            "SELECT notification_id FROM {} WHERE originator_id = %s AND originator_version = %s",
            TABLES[self._source.service],
            UUID(bytes=stream),
            version,
        )
        return f"was moved to position {found[0]['notification_id']}" if found else _REMOVED

    def _check_moments(self, rows: Sequence[Row], sealed_at: datetime) -> None:
        for row in rows:
            if (wrong := _of_another(row) or self._lateness.of_sealed(row, sealed_at)) is not None:
                self._name(row, wrong)
        self._lateness.seal_ends(sealed_at)

    def _check_unsealed(self, rows: Iterator[Row]) -> None:
        now, last, given = datetime.now(UTC), self._sealed_to, -1
        for row in rows:
            self.verdict.unsealed += 1
            self._count_row()
            if row.position > given:
                given = self._source.last_number()
            if row.position > given:
                self._name(row, f"{_NOT_GIVEN} (the last is {given}): was inserted")
                continue
            last = row.position
            if (wrong := _of_another(row) or self._lateness.of_unsealed(row, now)) is not None:
                self._name(row, wrong)
        published = self._source.published()
        if published > last:
            self.verdict.add(
                f"events up to position {published} were published, the log ends at {last}:"
                " what followed was removed",
                position=last + 1,
            )
        for lost in self._source.without_position():
            self.verdict.add(
                "has no position: was inserted",
                stream=lost["originator_id"],
                version=lost["originator_version"],
                position=last + 1,
            )

    def _name(self, row: Row, what: str) -> None:
        self.verdict.add(what, stream=row.stream, version=row.version, position=row.position)

    def _count_row(self) -> None:
        self.verdict.events += 1
        if not self.verdict.events % _STEP:
            self._progress.advance(_STEP)

    def _remember_day(self, stored: dict[str, Any]) -> None:
        day = stored["day"].isoformat()
        self._counts[day] += len(bytes(stored["entries"])) // chain.ENTRY_BYTES
        if self._days and self._days[-1] == day:
            self._bounds[-1] = stored["last"]
        else:
            self._days.append(day)
            self._bounds.append(stored["last"])

    # --- chains by stream

    def _check_streams(self) -> dict[str, merkle.Tree]:
        """Every stream's chain against its sealed head; returns each day's tree, built from the rows alone."""
        trees: dict[str, merkle.Tree] = {day: merkle.Tree() for day in self._days}
        heads = _Ahead(self._source.heads())
        for stream, rows in _by_stream(self._source.rows("stream"), self._progress):
            version, end, day = self._follow(stream, rows, trees)
            for missing in heads.before(stream):
                self._miss_stream(missing)
            if version:
                self.verdict.streams += 1
                self._check_head(stream, version, (end, day), heads.take(stream))
        for missing in heads:
            self._miss_stream(missing)
        return trees

    def _follow(
        self, stream: bytes, rows: Iterator[Row], trees: dict[str, merkle.Tree]
    ) -> tuple[int, bytes, str]:
        """The stream's last sealed version, the end of its chain, and the day of it."""
        end, version, day = chain.NOTHING, 0, ""
        for row in rows:
            if row.version != version + 1 and row.position <= self._sealed_to:
                self.verdict.add(
                    f"stands after version {version}",
                    stream=stream,
                    version=row.version,
                    position=row.position,
                )
            if row.position > self._sealed_to:
                continue
            place = bisect_left(self._bounds, row.position)
            if day and self._days[place] != day:
                trees[day].add(chain.head(stream, version, end))
            day = self._days[place]
            version, end = row.version, chain.link(end, row.leaf)
        if day:
            trees[day].add(chain.head(stream, version, end))
        return version, end, day

    def _check_head(
        self, stream: bytes, version: int, found: tuple[bytes, str], sealed: dict[str, Any] | None
    ) -> None:
        end, day = found
        if sealed is not None and (sealed["version"], bytes(sealed["link"])) == (version, end):
            if sealed["day"].isoformat() != day:
                # It would be missing in the tree of its own day.
                self.verdict.add(
                    f"the stream's end is of {day}, not of {sealed['day']}",
                    stream=stream,
                    version=version,
                )
            return
        if self.verdict.has_named(stream):
            return  # the event at fault is known
        if sealed is None:
            self.verdict.add(
                "the sealed end of this stream is missing", stream=stream, version=version
            )
        elif sealed["version"] != version:
            self.verdict.add(
                f"the stream was sealed up to version {sealed['version']}",
                stream=stream,
                version=version,
            )
        else:
            self.verdict.add("the stream's chain ends differently", stream=stream, version=version)

    def _miss_stream(self, sealed: dict[str, Any]) -> None:
        stream = bytes(sealed["stream"])
        if not self.verdict.has_named(stream):
            self.verdict.add(
                f"the whole stream is gone; it was sealed up to version {sealed['version']}",
                stream=stream,
            )

    # --- signed days

    def _check_days(self, days: Sequence[dict[str, Any]], trees: dict[str, merkle.Tree]) -> None:
        previous = chain.NOTHING
        for number, stored in enumerate(days, start=1):
            self.verdict.days += 1
            previous = self._check_day(stored, number, previous, trees)
        stored_roots = {row["day"].isoformat(): bytes(row["hash"]).hex() for row in days}
        for day, root in sorted(self._witnessed.items()):
            if stored_roots.get(day) != root:
                self.verdict.add(
                    f"{day}: the witness keeps the root {root[:16]}…, the database has"
                    f" {(stored_roots.get(day) or 'none')[:16]}"
                )
        unsigned = [day for day in self._days[:-1] if day not in stored_roots]
        for day in unsigned:
            self.verdict.add(f"{day}: the day is over and its root is missing")

    def _check_day(
        self, stored: dict[str, Any], number: int, previous: bytes, trees: dict[str, merkle.Tree]
    ) -> bytes:
        day = stored["day"].isoformat()
        root = chain.DayRoot(
            service=self._source.service,
            number=stored["number"],
            day=stored["day"],
            last=stored["last"],
            event_count=stored["event_count"],
            stream_count=stored["stream_count"],
            seal_number=stored["seal_number"],
            seal_hash=bytes(stored["seal_hash"]),
            heads_root=bytes(stored["heads_root"]),
            previous=bytes(stored["previous"]),
        )
        digest = root.hash()
        tree = trees.get(day)
        if digest != bytes(stored["hash"]):
            self.verdict.add(f"{day}: the root was changed")
        elif stored["number"] != number or root.previous != previous:
            self.verdict.add(f"{day}: the root does not follow the day before")
        elif self._keys and not self._keys.have_signed(
            digest, _bytes(stored["signature"]), stored["key_id"], on=root.day
        ):
            self.verdict.add(f"{day}: the root is not signed by a trusted key")
        elif self._seal_hashes.get(root.seal_number) != root.seal_hash:
            self.verdict.add(f"{day}: the root names another seal {root.seal_number}")
        elif tree is None or (tree.root(), tree.count) != (root.heads_root, root.stream_count):
            self.verdict.add(f"{day}: the streams' chains do not give the signed root")
        elif self._counts[day] != root.event_count:
            self.verdict.add(
                f"{day}: the root counts {root.event_count} events, the seals {self._counts[day]}"
            )
        return digest


class _Ahead:
    """An iterator that can be read up to a point."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self.ahead: Any = next(items, None)

    def __iter__(self) -> "_Ahead":
        return self

    def __next__(self) -> Any:
        if self.ahead is None:
            raise StopIteration
        found, self.ahead = self.ahead, next(self._items, None)
        return found

    def up_to(self, position: int) -> Iterator[Row]:
        """Rows up to this position."""
        while self.ahead is not None and self.ahead.position <= position:
            yield next(self)

    def before(self, stream: bytes) -> Iterator[dict[str, Any]]:
        """Heads of streams that come before this one."""
        while self.ahead is not None and bytes(self.ahead["stream"]) < stream:
            yield next(self)

    def take(self, stream: bytes) -> dict[str, Any] | None:
        """The head of this stream, if it comes next."""
        if self.ahead is not None and bytes(self.ahead["stream"]) == stream:
            head: dict[str, Any] = next(self)
            return head
        return None


def _by_stream(rows: Iterator[Row], progress: Progress) -> Iterator[tuple[bytes, Iterator[Row]]]:
    """Streams with their rows; a stream's rows must be used up before the next is asked for."""
    ahead = _Ahead(rows)
    count = 0

    def of(stream: bytes) -> Iterator[Row]:
        nonlocal count
        while ahead.ahead is not None and ahead.ahead.stream == stream:
            count += 1
            if not count % _STEP:
                progress.advance(_STEP)
            yield next(ahead)

    while ahead.ahead is not None:
        stream = ahead.ahead.stream
        yield stream, of(stream)


def _differences(
    sealed: Sequence[chain.Entry], rows: Sequence[Row], after: int
) -> Iterator[tuple[str, bytes, int, int]]:
    """What became of the events of one seal: what, stream, version, position."""
    expected = {(entry.stream, entry.version) for entry in sealed}
    present = {(row.stream, row.version) for row in rows}
    position, i, j = after + 1, 0, 0
    while i < len(sealed) or j < len(rows):
        entry = sealed[i] if i < len(sealed) else None
        row = rows[j] if j < len(rows) else None
        if row is not None:
            position = row.position
        if entry and row and entry.leaf == row.leaf:
            i, j = i + 1, j + 1
        elif entry and (entry.stream, entry.version) not in present:
            yield _REMOVED, entry.stream, entry.version, position
            i += 1
        elif row and (row.stream, row.version) not in expected:
            yield "was inserted", row.stream, row.version, position
            j += 1
        elif entry and row and (entry.stream, entry.version) == (row.stream, row.version):
            yield "was changed", row.stream, row.version, position
            i, j = i + 1, j + 1
        else:
            if row is not None:
                yield "stands in another's place", row.stream, row.version, position
            i, j = i + 1, j + 1


def _of_another(row: Row) -> str | None:
    return f"holds the bytes of {row.says_other}: was inserted" if row.says_other else None


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
