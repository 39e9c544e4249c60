"""The way in: what is tried again, what is final, and that patience ends."""

import httpx2
import msgspec
import pytest

from deploy.imports.door import DoorIsClosed
from tests.unit.imports.desk import SmallDesk

BATCH = "/v1/tickets/batch"


def lines(*keys: str) -> list[bytes]:
    return [msgspec.json.encode({"key": key}) for key in keys]


async def test_every_line_gets_its_answer():
    desk = SmallDesk()
    answers = await desk.door().send_lines(BATCH, lines("a", "b"))
    assert [answer.is_done for answer in answers] == [True, True]
    assert desk.order == ["a", "b"]
    assert desk.pauses == []


@pytest.mark.parametrize(
    "failure", [503, 502, 429, httpx2.ConnectError("refused"), httpx2.ReadError("cut")]
)
async def test_a_service_that_is_away_is_waited_for_with_growing_pauses(failure):
    desk = SmallDesk()
    desk.failures = [failure] * 4
    answers = await desk.door().send_lines(BATCH, lines("a"))
    assert answers[0].is_done
    assert len(desk.pauses) == 4
    assert desk.pauses[3] > desk.pauses[0]


@pytest.mark.parametrize("kept", [lambda body: body[:-9], lambda body: body.rpartition(b"\n")[0]])
async def test_a_batch_whose_answer_is_cut_off_is_sent_again_and_replayed(kept):
    desk = SmallDesk()
    whole = desk._answer
    answered = []

    def cut_once(request: httpx2.Request) -> httpx2.Response:
        answer = whole(request)
        answered.append(answer)
        if len(answered) == 1:
            return httpx2.Response(200, content=kept(answer.content))
        return answer

    desk._answer = cut_once
    answers = await desk.door().send_lines(BATCH, lines("a", "b", "c"))
    assert [answer.replayed for answer in answers] == [True, True, True]
    assert desk.order == ["a", "b", "c"]


async def test_only_lines_that_were_put_off_are_sent_again_in_their_order():
    desk = SmallDesk()
    tries = []

    def put_off(said):
        tries.append(said["key"])
        return said["key"] in {"b", "c"} and tries.count(said["key"]) == 1

    desk.put_off = put_off
    answers = await desk.door().send_lines(BATCH, lines("a", "b", "c", "d"))
    assert all(answer.is_done for answer in answers)
    assert desk.requests == [("POST", BATCH, 4), ("POST", BATCH, 2)]
    assert desk.order == ["a", "d", "b", "c"]


async def test_a_refusal_of_one_line_is_final_and_names_the_field():
    desk = SmallDesk()
    desk.refuse = lambda said: said["key"] == "b"
    answers = await desk.door().send_lines(BATCH, lines("a", "b"))
    assert [answer.status for answer in answers] == [201, 422]
    assert str(answers[1].problem) == "Refused: priority: no"
    assert len(desk.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 413])
async def test_a_refusal_of_the_whole_is_said_at_once(status):
    desk = SmallDesk()
    desk.failures = [status]
    with pytest.raises(DoorIsClosed, match=rf"{BATCH} was refused: {status} Down: no database"):
        await desk.door().send_lines(BATCH, lines("a"))
    assert desk.pauses == []


async def test_patience_ends_with_the_reason():
    desk = SmallDesk()
    desk.failures = [503]
    with pytest.raises(DoorIsClosed, match="503 Down: no database"):
        await desk.door(patience_seconds=0).send_lines(BATCH, lines("a"))


async def test_lines_put_off_for_ever_end_patience_too():
    desk = SmallDesk()
    desk.put_off = lambda _: True
    with pytest.raises(DoorIsClosed, match=r"1 lines are put off .* Not yet"):
        await desk.door(patience_seconds=0).send_lines(BATCH, lines("a"))


async def test_what_is_not_there_is_none_only_where_that_is_an_answer():
    door = SmallDesk().door()
    assert await door.find("/v1/policies/none") is None
    with pytest.raises(DoorIsClosed, match="404"):
        await door.ask("GET", "/v1/policies/none")
