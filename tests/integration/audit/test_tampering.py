"""Somebody with every right on the database changes the log; verification names what was done and where."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from deploy.audit.lateness import NO_EVENT
from shared.audit.signing import AuditKey, PublicKeys
from shared.identifiers import new_id
from tests.integration.audit.conftest import KEYS, SECRET, Archive
from tests.support.events import noted

CHANGE = (
    "UPDATE intake_events SET state = convert_to(replace(convert_from(state, 'UTF8'), 'a note', 'a vote'),"
    " 'UTF8') WHERE originator_id = %s AND originator_version = %s"
)
DELETE = "DELETE FROM intake_events WHERE originator_id = %s AND originator_version = %s"
EVERYTHING = "audit_seals, audit_heads, audit_days"


def named(archive: Archive, **asked: Any) -> tuple[UUID | None, int | None, str]:
    verdict = archive.verify(**asked)
    assert not verdict.is_good
    assert verdict.first is not None
    return verdict.first.stream, verdict.first.version, verdict.first.what


def test_a_log_as_it_was_is_proven(archive: Archive):
    verdict = archive.verify(witnessed=archive.roots())
    assert verdict.findings == []
    assert (verdict.events, verdict.streams, verdict.seals, verdict.days) == (36, 4, 6, 2)
    assert verdict.notes == []


@pytest.mark.parametrize("version", [1, 5, 9], ids=["first", "middle", "last"])
def test_a_changed_event_is_named(archive: Archive, version: int):
    ticket = archive.tickets[2]
    archive.tamper(
        CHANGE.replace("'a note', 'a vote'", "'recorded_at', 'recorded_by'"), ticket, version
    )
    assert named(archive) == (ticket, version, "was changed")


def test_a_changed_kind_is_named(archive: Archive):
    ticket = archive.tickets[0]
    archive.tamper(
        "UPDATE intake_events SET topic = 'ticket.closed.v1' WHERE originator_id = %s"
        " AND originator_version = 2",
        ticket,
    )
    assert named(archive) == (ticket, 2, "was changed")


@pytest.mark.parametrize("version", [1, 5, 9], ids=["first", "middle", "tail"])
def test_a_removed_event_is_named(archive: Archive, version: int):
    ticket = archive.tickets[1]
    archive.tamper(DELETE, ticket, version)
    assert named(archive) == (ticket, version, "was removed")


def test_a_removed_stream_is_named(archive: Archive):
    ticket = archive.tickets[3]
    archive.tamper("DELETE FROM intake_events WHERE originator_id = %s", ticket)
    assert named(archive) == (ticket, 1, "was removed")


def test_a_stream_removed_with_its_head_is_named(archive: Archive):
    ticket = archive.tickets[3]
    archive.tamper("DELETE FROM intake_events WHERE originator_id = %s", ticket)
    archive.tamper("DELETE FROM audit_heads WHERE stream_id = %s", ticket)
    assert named(archive) == (ticket, 1, "was removed")


def test_everything_removed_is_noticed(archive: Archive):
    archive.tamper("DELETE FROM intake_events")
    assert named(archive) == (archive.tickets[0], 1, "was removed")


def test_the_newest_events_removed_with_their_seals_are_told_by_the_heads(archive: Archive):
    """The end of the log, cut off cleanly: what the seals no longer say, the chains' ends still do."""
    archive.tamper("DELETE FROM intake_events WHERE notification_id > 32")
    archive.tamper("DELETE FROM audit_seals WHERE number = 6")
    verdict = archive.verify()
    assert {finding.what for finding in verdict.findings} == {
        "the stream was sealed up to version 9"
    }


def test_an_event_inserted_at_a_streams_end_is_named(archive: Archive):
    ticket = archive.tickets[0]
    archive.tamper(
        "INSERT INTO intake_events (originator_id, originator_version, topic, state, notification_id)"
        " SELECT originator_id, 10, topic, state, -1 FROM intake_events"
        " WHERE originator_id = %s AND originator_version = 9",
        ticket,
    )
    assert named(archive) == (ticket, 10, "was inserted")


COPY_TO_THE_END = (
    "INSERT INTO intake_events (originator_id, originator_version, topic, state)"
    " SELECT originator_id, 10, topic, convert_to(replace(convert_from(state, 'UTF8'), %s, %s), 'UTF8')"
    " FROM intake_events WHERE originator_id = %s AND originator_version = 3"
)
"""With the next free position, as the service itself would append; version 3 is of the first day."""


@pytest.mark.parametrize("is_sealed", [False, True], ids=["not sealed", "sealed by the service"])
@pytest.mark.parametrize(
    ("replaced", "expected"),
    [
        (("", ""), "holds the bytes of ticket.note_added.v1 version 3: was inserted"),
        (('"version":3', '"version":10'), "before events that were sealed earlier: was inserted"),
    ],
    ids=["another's bytes", "an old time"],
)
def test_an_event_put_at_the_logs_end_as_if_it_were_old_is_named(
    archive: Archive, replaced: tuple[str, str], expected: str, is_sealed: bool
):
    """The service seals what it finds there, and signs it: only the event itself tells."""
    archive.tamper(COPY_TO_THE_END, *replaced, archive.tickets[0])
    if is_sealed:
        archive.sealer.seal_next()
    stream, version, what = named(archive)
    assert (stream, version) == (archive.tickets[0], 10)
    assert expected in what


def test_an_event_far_ahead_is_named_and_hides_nothing_that_follows(archive: Archive):
    """A sealer that followed it would never seal what the service stores next."""
    stranger, ticket = new_id(), archive.tickets[0]
    archive.append(noted(ticket, 10))
    archive.tamper(
        "INSERT INTO intake_events (originator_id, originator_version, topic, state, notification_id)"
        " SELECT %s, 1, topic, convert_to(replace(convert_from(state, 'UTF8'), '\"version\":10', '\"version\":1'),"
        " 'UTF8'), 1000000 FROM intake_events WHERE originator_id = %s AND originator_version = 10",
        stranger, ticket,
    )  # fmt: skip
    archive.sealer.seal_next()
    archive.append(noted(ticket, 11))
    archive.sealer.seal_next()
    verdict = archive.verify()
    assert [(finding.stream, finding.what) for finding in verdict.findings] == [
        (stranger, "has a number that the log has not given yet (the last is 38): was inserted")
    ]
    assert verdict.unsealed == 1


def test_an_inserted_stream_is_named(archive: Archive):
    stranger = new_id()
    archive.tamper("DELETE FROM intake_events WHERE notification_id = 20")
    archive.tamper(
        "INSERT INTO intake_events (originator_id, originator_version, topic, state, notification_id)"
        " SELECT %s, 1, topic, state, 20 FROM intake_events WHERE notification_id = 21",
        stranger,
    )
    verdict = archive.verify()
    assert "was inserted" in {f.what for f in verdict.findings if f.stream == stranger}
    assert verdict.first is not None
    assert verdict.first.what == "was removed"


def test_two_events_that_changed_places_are_named(archive: Archive):
    ticket = archive.tickets[1]
    for change in ((5, -5), (6, 5), (-5, 6)):
        archive.tamper(
            "UPDATE intake_events SET originator_version = %s"
            " WHERE originator_id = %s AND originator_version = %s",
            change[1], ticket, change[0],
        )  # fmt: skip
    stream, version, what = named(archive)
    assert (stream, version, what.rstrip("0123456789")) == (ticket, 5, "was moved to position ")


def test_a_change_of_commit_order_is_named(archive: Archive):
    for before, after in ((3, -3), (7, 3), (-3, 7)):
        archive.tamper(
            "UPDATE intake_events SET notification_id = %s WHERE notification_id = %s",
            after,
            before,
        )
    _, _, what = named(archive)
    assert what == "stands in another's place"


def test_a_changed_event_with_seals_made_to_match_has_no_signature(archive: Archive):
    """All hashes computed again, for the whole log, without the key."""
    archive.tamper(CHANGE, archive.tickets[0], 2)
    archive.tamper(f"TRUNCATE {EVERYTHING}")
    forger = archive.new_sealer(secret="a secret that the service does not have")
    forger.seal_next()
    assert named(archive)[2] == "seal 1 is not signed by a trusted key"


def test_seals_and_signatures_removed_altogether_are_noticed(archive: Archive):
    archive.tamper(f"TRUNCATE {EVERYTHING}")
    assert "has stood without a seal" in named(archive)[2]


def forge_the_past(archive: Archive, monkeypatch: pytest.MonkeyPatch, *, days: int = 3) -> None:
    """Seals and days as they could have been made then; only who has the key can date them back."""
    from shared.audit import sealer

    monkeypatch.setattr(sealer, "EVENTS_MAX", len(archive.tickets) * 3)
    newest, forger = archive.now, archive.new_sealer()
    for days_ago in reversed(range(days)):
        archive.now = newest - timedelta(days=days_ago)
        forger.seal_next()


def test_whoever_has_the_key_too_is_caught_by_a_witness(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
):
    witnessed = archive.roots()
    archive.tamper(CHANGE, archive.tickets[0], 2)
    archive.tamper(f"TRUNCATE {EVERYTHING}")
    forge_the_past(archive, monkeypatch)
    assert archive.verify().is_good
    assert "the witness keeps the root" in named(archive, witnessed=witnessed)[2]


def test_what_was_sealed_after_the_last_whole_day_is_held_by_the_newest_seal_of_a_witness(
    archive: Archive,
):
    seals, witnessed = archive.newest_seal(), archive.roots()
    (number,) = seals
    assert archive.verify(witnessed=witnessed, seals=seals).is_good
    archive.append(noted(archive.tickets[0], 10))
    archive.sealer.seal_next()
    assert archive.verify(witnessed=witnessed, seals=seals).is_good, (
        "what follows is no contradiction"
    )
    seals |= archive.newest_seal()
    archive.tamper("DELETE FROM audit_seals WHERE number > %s", number)
    archive.tamper(DELETE, archive.tickets[0], 10)

    def said(kept: dict[int, str]) -> str:
        return "\n".join(one.what for one in archive.verify(seals=kept).findings)

    assert f"seal {number + 1}: the witness keeps" in said(seals)
    assert "the witness keeps" not in said({number: seals[number]})
    assert f"seal {number}: the witness keeps" in said({number: "00" * 32})


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE audit_seals SET after = after WHERE number = 1", None),
        ("UPDATE audit_seals SET sealed_at = now() WHERE number = 2", "seal 2 was changed"),
        ("DELETE FROM audit_seals WHERE number = 3", "seals 3 to 3 are missing"),
        ("UPDATE audit_seals SET signature = NULL WHERE number = 4", "seal 4 is not signed"),
        ("UPDATE audit_days SET event_count = 1 WHERE number = 1", "the root was changed"),
        ("UPDATE audit_days SET signature = '\\x00' WHERE number = 2", "the root is not signed"),
        ("DELETE FROM audit_days WHERE number = 1", "the root does not follow the day before"),
        ("DELETE FROM audit_days WHERE number = 2", "the day is over and its root is missing"),
        ("DELETE FROM audit_heads WHERE version = 9", "the sealed end of this stream is missing"),
        ("UPDATE audit_heads SET link = sha256(link)", "the stream's chain ends differently"),
        ("UPDATE audit_heads SET day = day - 1", "the stream's end is of"),
        ("UPDATE audit_seals SET entries = '\\x00' WHERE number = 4", "seal 4 was changed"),
        ("UPDATE audit_seals SET event_count = 7 WHERE number = 4", "seal 4 counts 7 events"),
        ("UPDATE audit_seals SET last = 30 WHERE number = 4", "seal 4 was changed"),
        ("UPDATE audit_seals SET number = 9 WHERE number = 6", "seals 6 to 8 are missing"),
        ("UPDATE audit_seals SET key_id = 'x' WHERE number = 2", "seal 2 is not signed"),
        ("UPDATE audit_days SET day = day - 9 WHERE number = 1", "the root was changed"),
        ("DELETE FROM audit_days", "the day is over and its root is missing"),
        (
            "UPDATE audit_days AS d SET hash = o.hash FROM audit_days AS o WHERE d.number = 2 AND o.number = 1",
            "the root was changed",
        ),
    ],
)
def test_the_audits_own_tables_are_watched_too(archive: Archive, statement: str, what: str | None):
    archive.tamper(statement)
    if what is None:
        assert archive.verify().is_good
    else:
        assert what in named(archive)[2]


def test_signatures_are_not_claimed_without_a_key(archive: Archive):
    verdict = archive.verify(keys=PublicKeys())
    assert verdict.is_good
    assert verdict.notes == ["signatures were not checked: no public key was given"]


def test_a_sealer_whose_seals_vanish_leaves_a_gap_for_ever(archive: Archive):
    archive.tamper("DELETE FROM audit_seals WHERE number = 6")
    archive.append(noted(archive.tickets[0], 10))
    archive.sealer.seal_next()
    assert "seals 6 to 6 are missing" in named(archive)[2]


def test_a_second_process_goes_on_where_the_first_ended(archive: Archive):
    second = archive.new_sealer()
    for version, sealer in ((10, second), (11, archive.sealer), (12, second)):
        archive.append(noted(archive.tickets[1], version))
        assert sealer.seal_next() == 1
    assert archive.verify().is_good


def test_what_was_rolled_back_is_not_chained_to(archive: Archive, monkeypatch: pytest.MonkeyPatch):
    from shared.audit import sealer

    archive.append(noted(archive.tickets[1], 10))

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(sealer, "_store_heads", fail)
        with pytest.raises(OSError):
            archive.sealer.seal_next()
    assert archive.sealer.seal_next() == 1
    assert archive.verify().is_good


def test_a_new_key_is_trusted_beside_the_old(archive: Archive):
    renewed = "another secret, after the first was rotated"
    archive.append(noted(archive.tickets[1], 10))
    archive.new_sealer(secret=renewed).seal_next()
    assert not archive.verify(keys=KEYS).is_good
    both = PublicKeys(*(AuditKey(secret, "intake").public for secret in (SECRET, renewed)))
    assert archive.verify(keys=both).is_good


def test_seals_removed_and_made_anew_by_the_service_itself_are_dated_wrong(archive: Archive):
    """The one with rights on the database alone: no key needed, the service signs what it finds at its next start."""
    archive.tamper(CHANGE, archive.tickets[0], 5)
    archive.tamper(f"TRUNCATE {EVERYTHING}")
    archive.new_sealer().seal_next()
    stream, version, what = named(archive)
    assert (stream, version) == (archive.tickets[0], 4), (
        "the first that was recorded on a later day"
    )
    assert "older seals were removed" in what
    assert archive.verify(since=archive.now + timedelta(hours=1)).is_good


def test_the_newest_seals_made_anew_by_the_service_are_dated_wrong(archive: Archive):
    """Cut off after the first day, heads set back, changed, and the service started again."""
    archive.tamper("DELETE FROM audit_seals WHERE number > 2")
    archive.tamper("DELETE FROM audit_days WHERE number > 1")
    archive.tamper("TRUNCATE audit_heads")
    archive.tamper(CHANGE, archive.tickets[1], 5)
    archive.new_sealer().seal_next()
    assert "older seals were removed" in named(archive)[2]


def test_what_a_crash_left_unsealed_may_be_sealed_the_day_after(archive: Archive):
    archive.append(noted(archive.tickets[0], 10))
    archive.now += timedelta(hours=9)
    archive.sealer.seal_next()
    assert archive.verify().is_good


@pytest.mark.parametrize("moment", ["2999-01-01T00:00:00Z", "yesterday", "2026-03-02T12:00:00"])
def test_a_time_of_recording_that_cannot_be_hides_nothing(archive: Archive, moment: str):
    archive.tamper(f"TRUNCATE {EVERYTHING}")
    archive.tamper(
        "UPDATE intake_events SET state = convert_to(regexp_replace(convert_from(state, 'UTF8'),"
        ' \'"recorded_at":"[^"]*"\', %s), \'UTF8\')',
        f'"recorded_at":"{moment}"',
    )
    expected = "which is to come" if moment.endswith("Z") else "is no event"
    assert expected in named(archive)[2]
    archive.new_sealer().seal_next()
    expected = "after it was sealed" if moment.endswith("Z") else "is no event"
    assert expected in named(archive)[2]


def test_bytes_that_are_no_event_are_named_though_no_seal_covers_them(archive: Archive):
    archive.tamper(
        "INSERT INTO intake_events (originator_id, originator_version, topic, state)"
        " VALUES (%s, 10, 'ticket.closed.v1', 'rubbish')",
        archive.tickets[0],
    )
    assert named(archive) == (archive.tickets[0], 10, NO_EVENT)


def test_a_log_that_is_gone_altogether_is_missed_by_who_published_it(archive: Archive):
    archive.tamper("UPDATE relay_position SET notification_id = 36")
    assert archive.verify().is_good
    archive.tamper(f"TRUNCATE intake_events, {EVERYTHING}")
    assert named(archive) == (
        None, None, "events up to position 36 were published, the log ends at 0: what followed was removed",
    )  # fmt: skip


def test_a_key_that_was_replaced_signs_nothing_of_later_days(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
):
    """Whoever found the old key makes all days anew with it; of the new key nothing is left."""
    renewed = "another secret, after the first was rotated"
    last_day, archive.now = archive.now.date(), archive.now + timedelta(days=1)
    archive.append(noted(archive.tickets[1], 10))
    archive.new_sealer(secret=renewed).seal_next()
    old, new = (AuditKey(secret, "intake").public for secret in (SECRET, renewed))
    kept = PublicKeys(f"{old}@{last_day}", new)
    assert archive.verify(keys=kept).is_good
    archive.tamper(CHANGE, archive.tickets[1], 10)
    archive.tamper(f"TRUNCATE {EVERYTHING}")
    forge_the_past(archive, monkeypatch, days=4)
    assert archive.verify(keys=PublicKeys(old, new)).is_good, "nothing else tells"
    assert named(archive, keys=kept)[2] == "seal 4 is not signed by a trusted key"


def test_two_streams_that_changed_places_are_named(archive: Archive):
    first, second, between = *archive.tickets[:2], new_id()
    for old, new in ((first, between), (second, first), (between, second)):
        archive.tamper(
            "UPDATE intake_events SET originator_id = %s WHERE originator_id = %s", new, old
        )
    stream, version, what = named(archive)
    assert (stream in {first, second}, version) == (True, 1), what


@pytest.mark.parametrize("hours", [-30, 30], ids=["back", "ahead"])
def test_a_clock_that_was_moved_hides_no_change(archive: Archive, hours: int):
    """The machine's clock is set, an event changed, its seal made anew by the service, and the clock set right."""
    archive.append(noted(archive.tickets[0], 10))
    archive.sealer.seal_next()
    archive.tamper("DELETE FROM audit_seals WHERE number > 5")
    archive.tamper("DELETE FROM audit_days WHERE number > 2")
    archive.tamper("TRUNCATE audit_heads")
    archive.tamper(CHANGE, archive.tickets[0], 8)
    archive.now += timedelta(hours=hours)
    archive.new_sealer().seal_next()
    archive.now -= timedelta(hours=hours)
    stream, version, _ = named(archive)
    assert (stream, version) == (archive.tickets[0], 8)


def test_a_restored_backup_is_proven_and_what_it_lacks_is_missed_by_a_witness(archive: Archive):
    tables = "intake_events", "audit_seals", "audit_heads", "audit_days", "audit_day_heads"
    for table in tables:
        archive.tamper(f"CREATE TABLE backup_{table} AS SELECT * FROM {table}")
    archive.append(noted(archive.tickets[0], 10))
    archive.sealer.seal_next()
    kept = archive.newest_seal()
    archive.tamper(f"TRUNCATE {', '.join(tables)}")
    for table in tables:
        archive.tamper(f"INSERT INTO {table} SELECT * FROM backup_{table}")
        archive.tamper(f"DROP TABLE backup_{table}")
    restored = archive.verify()
    assert (restored.is_good, restored.events) == (True, 36)
    assert "the database has none" in named(archive, seals=kept)[2]
    archive.append(noted(archive.tickets[0], 10))
    archive.new_sealer().seal_next()
    assert archive.verify().is_good, "the service goes on"
    assert "the witness keeps" in named(archive, seals=kept)[2], "and what was lost stays missed"
