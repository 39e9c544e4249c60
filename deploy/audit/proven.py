"""What a service says to prove its streams, read from a file and held against its own hashes and a trusted key."""

from base64 import urlsafe_b64decode
from datetime import date
from uuid import UUID

import msgspec

from shared.audit import chain, merkle
from shared.audit.signing import PublicKeys


class ProvenStream(msgspec.Struct, frozen=True):
    """A stream: version, position and hash (hexadecimal) of each event, and where its end hangs.

    Attributes:
        day: the newest signed day on which it grew; None: none has proofs yet.
        head: the last version of that day.
        index: the place of its end among all of that day's.
        path: siblings up to the day's root, lowest first.
    """

    stream: UUID
    events: tuple[tuple[int, int, str], ...]
    day: date | None = None
    head: int = 0
    index: int = 0
    path: tuple[str, ...] = ()


class SignedDay(msgspec.Struct, frozen=True):
    """One day's root, as `ticketing audit roots` prints it; hashes in hexadecimal."""

    number: int
    day: date
    last: int
    event_count: int
    stream_count: int
    seal_number: int
    seal_hash: str
    heads_root: str
    previous: str
    key_id: str | None
    signature: str | None


class Proof(msgspec.Struct, frozen=True):
    """What one service says."""

    service: str
    days: tuple[SignedDay, ...]
    streams: tuple[ProvenStream, ...]

    def fault_of(self, stream: ProvenStream, keys: PublicKeys) -> str | None:
        """Why this stream's proof proves nothing; None when it holds, or says itself that nothing is signed yet."""
        if [version for version, _, _ in stream.events] != list(range(1, len(stream.events) + 1)):
            return "the proof leaves out events"
        if stream.day is None:
            return None
        day = next((one for one in self.days if one.day == stream.day), None)
        if day is None:
            return f"the proof has no root of {stream.day}"
        try:
            return self._wrong_with(stream, day, keys)
        except ValueError as error:  # no hexadecimal, no base64url
            return f"the proof cannot be read ({error})"

    def _wrong_with(self, stream: ProvenStream, day: SignedDay, keys: PublicKeys) -> str | None:
        root = chain.DayRoot(
            service=self.service,
            number=day.number,
            day=day.day,
            last=day.last,
            event_count=day.event_count,
            stream_count=day.stream_count,
            seal_number=day.seal_number,
            seal_hash=bytes.fromhex(day.seal_hash),
            heads_root=bytes.fromhex(day.heads_root),
            previous=bytes.fromhex(day.previous),
        )
        signature = None
        if day.signature is not None:
            signature = urlsafe_b64decode(day.signature + "=" * (-len(day.signature) % 4))
        if not keys.have_signed(root.hash(), signature, day.key_id, on=day.day):
            return f"the root of {day.day} is not signed by a trusted key"
        link = chain.NOTHING
        for _, _, leaf in stream.events[: stream.head]:
            link = chain.link(link, bytes.fromhex(leaf))
        end = chain.head(stream.stream.bytes, stream.head, link)
        steps = [bytes.fromhex(step) for step in stream.path]
        leads_to = merkle.root_along(merkle.leaf_hash(end), stream.index, day.stream_count, steps)
        if leads_to != root.heads_root:
            return f"the proof does not lead to the root of {day.day}"
        return None


def read_proof(line: bytes) -> Proof:
    """A line of a file.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return msgspec.json.decode(line, type=Proof)
