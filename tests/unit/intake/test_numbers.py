"""Numbers: one query for a whole group, and none handed out twice."""

from services.intake.numbers import DRAWN_MAX, Numbers


class Sequence:
    """A sequence that counts the queries; `transaction()` is one of several over it."""

    def __init__(self) -> None:
        self.last = 0
        self.queries = 0

    def transaction(self) -> "FakeTransaction":
        return FakeTransaction(self)


class FakeTransaction:
    def __init__(self, sequence: Sequence) -> None:
        self.sequence = sequence
        self.cursor = self
        self._rows: list[dict] = []

    def execute(self, _query: str, parameters: tuple[int]) -> None:
        self.sequence.queries += 1
        first = self.sequence.last + 1
        self.sequence.last += parameters[0]
        self._rows = [{"number": number} for number in range(first, self.sequence.last + 1)]

    def fetchall(self) -> list[dict]:
        return self._rows


def expecting(count: int) -> Numbers:
    numbers = Numbers()
    for _ in range(count):
        numbers.expect()
    return numbers


def test_one_query_serves_all_openings_that_wait():
    numbers, sequence = expecting(3), Sequence()
    tx = sequence.transaction()
    assert [numbers.take(tx) for _ in range(3)] == [1, 2, 3]
    assert sequence.queries == 1


def test_what_is_left_over_serves_the_next_transaction_after_a_commit():
    numbers, sequence = expecting(3), Sequence()
    assert numbers.take(sequence.transaction()) == 1
    numbers.committed()
    assert numbers.take(sequence.transaction()) == 2
    assert sequence.queries == 1


def test_what_was_drawn_in_a_transaction_that_was_undone_is_never_used():
    numbers, sequence = expecting(3), Sequence()
    assert numbers.take(sequence.transaction()) == 1
    assert numbers.take(sequence.transaction()) == 4
    assert sequence.queries == 2


def test_those_that_were_answered_are_not_drawn_for():
    numbers, sequence = expecting(3), Sequence()
    for _ in range(3):
        numbers.forget()
    numbers.take(sequence.transaction())
    assert sequence.last == 1


def test_no_more_is_drawn_at_once_than_a_group_needs():
    numbers, sequence = expecting(DRAWN_MAX + 100), Sequence()
    numbers.take(sequence.transaction())
    assert sequence.last == DRAWN_MAX
