"""Sending: whole tickets a chunk, order within a ticket, going on after an interruption, nothing done twice."""

import pytest

from deploy.imports.commands import History
from deploy.imports.door import DoorIsClosed
from deploy.imports.journal import Journal
from deploy.imports.sender import CHUNK_LINES, INTAKE, ROUTING, Sender, chunks
from deploy.imports.servicenow import history
from tests.unit.imports.desk import SmallDesk
from tests.unit.imports.samples import a_log, a_row

CLOSED_AT = "6/3/2016 10:00"


class Told:
    """What a progress bar would have been told."""

    def __init__(self) -> None:
        self.lines = {INTAKE: 0, ROUTING: 0}

    def advance(self, where: str, lines: int) -> None:
        self.lines[where] += lines


@pytest.fixture(scope="module")
def histories(tmp_path_factory) -> list[History]:
    """600 tickets with three commands for intake and two for routing each."""
    rows = [
        a_row(state, updated_at, number=f"INC{number}", assigned_to="Resolver 1")
        for number in range(600)
        for state, updated_at in (
            ("New", "1/3/2016 08:10"),
            ("Active", "1/3/2016 09:00"),
            ("Closed", CLOSED_AT),
        )
    ]
    log = a_log(tmp_path_factory.mktemp("log"), *rows)
    return [history(number, found) for number, found in log.incidents.items()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "imports" / "journal"


async def send(desk, path, histories, told=None):
    with Journal(path) as journal:
        return await Sender(desk.door(), journal, told or Told()).send(histories)


def places(desk, number: int) -> list[str]:
    """The operations on one ticket in the order in which they were done."""
    return [key.split(":", 2)[2] for key in desk.order if key.split(":")[1] == f"INC{number}"]


def test_chunks_hold_whole_tickets_and_stay_small(histories):
    found = list(chunks(histories))
    assert all(len(chunk.intake) <= CHUNK_LINES for chunk in found)
    numbers = [{line.key.split(":")[1] for line in chunk.intake} for chunk in found]
    assert sum(map(len, numbers)) == 600
    assert [line for chunk in found for line in chunk.routing] == [
        line for history in histories for line in history.routing
    ]


def test_a_ticket_longer_than_a_chunk_is_one_by_itself(histories):
    assert [len(chunk.intake) for chunk in chunks(histories[:3], lines_max=2)] == [3, 3, 3]


async def test_everything_is_sent_in_the_order_of_each_ticket(histories, path):
    desk, told = SmallDesk(), Told()
    sent = await send(desk, path, histories, told)
    assert (sent.intake.accepted, sent.routing.accepted) == (1800, 1200)
    assert told.lines == {INTAKE: 1800, ROUTING: 1200}
    for number in (0, 299, 599):
        assert places(desk, number) == ["0:open", "1:patch", "2:close", "0:group", "0:assign"]


async def test_the_same_import_again_is_all_replayed(histories, path):
    desk = SmallDesk()
    await send(desk, path, histories)
    path.unlink()  # as a finished import leaves it
    before = list(desk.order)
    sent = await send(desk, path, histories)
    assert (sent.intake.accepted, sent.intake.replayed) == (0, 1800)
    assert desk.order == before


async def test_an_interrupted_import_goes_on_where_it_was(histories, path):
    desk = SmallDesk()
    whole, answered = desk._answer, []

    def dies_after_three(request):
        answered.append(request)
        if len(answered) > 3:
            desk.failures = [403]
        return whole(request)

    desk._answer = dies_after_three
    with pytest.raises(DoorIsClosed):
        await send(desk, path, histories)
    desk._answer, desk.failures, desk.requests = whole, [], []
    sent = await send(desk, path, histories)
    assert sent.intake.skipped > 0
    assert len(desk.done) == 3000
    assert sent.intake.sent + sent.intake.skipped == 1800
    assert places(desk, 599) == ["0:open", "1:patch", "2:close", "0:group", "0:assign"]


async def test_a_journal_of_another_installation_is_not_believed(histories, path):
    await send(SmallDesk(), path, histories)
    fresh = SmallDesk()
    sent = await send(fresh, path, histories)
    assert sent.intake.skipped == sent.routing.skipped == 0
    assert len(fresh.done) == 3000


async def test_a_longer_part_of_the_same_file_finds_what_is_done(histories, path):
    desk = SmallDesk()
    await send(desk, path, histories[:10])
    path.unlink()
    sent = await send(desk, path, histories)
    assert (sent.intake.replayed, sent.intake.accepted) == (30, 1770)


@pytest.mark.parametrize("number", [5, 500])  # in the first chunk, and in a later one
async def test_a_refused_command_is_listed_and_tried_again_by_the_next_run(histories, path, number):
    desk = SmallDesk()
    key = f"servicenow:INC{number}:1:patch"
    desk.refuse = lambda said: said["key"] == key
    sent = await send(desk, path, histories)
    assert [(line.key, line.status) for line in sent.refused] == [(key, 422)]
    assert sent.intake.accepted == 1799
    desk.refuse = lambda _: False
    again = await send(desk, path, histories)
    assert again.refused == []
    assert len(desk.done) == 3000


@pytest.mark.parametrize("number", [5, 500])
async def test_routing_is_not_asked_about_a_ticket_that_was_not_opened(histories, path, number):
    desk = SmallDesk()
    desk.refuse = lambda said: said["key"] == f"servicenow:INC{number}:0:open"
    desk.put_off = lambda said: said["key"].startswith(f"servicenow:INC{number}:0:assign")
    sent = await send(desk, path, histories)
    assert {line.key for line in sent.routing.refused} == {
        f"servicenow:INC{number}:0:group",
        f"servicenow:INC{number}:0:assign",
    }
    assert sent.routing.accepted == 1198


async def test_nothing_to_send_asks_nothing(path):
    desk = SmallDesk()
    await send(desk, path, [])
    assert desk.requests == []


def test_a_journal_line_that_a_crash_cut_off_is_harmless(path):
    with Journal(path) as journal:
        journal.note("a" * 32)
        journal.note("b" * 32)
    path.write_text(path.read_text()[:-5])
    with Journal(path) as journal:
        assert journal.has("a" * 32)
        assert not journal.has("b" * 32)
        journal.note("c" * 32)
    with Journal(path) as journal:
        assert journal.has("c" * 32)
        journal.finish()
    assert not path.exists()
