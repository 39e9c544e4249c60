"""What is remembered is used only when it is exactly what the next event needs."""

from dataclasses import dataclass

from services.query.projections.recent import Recent
from shared.identifiers import new_id


@dataclass
class Fold:
    version: int


def test_the_fold_before_the_next_event_is_used() -> None:
    recent: Recent[Fold] = Recent(size_max=10)
    ticket = new_id().int
    recent.put(ticket, Fold(4))
    assert recent.take(ticket, before=5) == Fold(4)


def test_a_fold_of_a_rolled_back_batch_is_not_used_and_forgotten() -> None:
    recent: Recent[Fold] = Recent(size_max=10)
    ticket = new_id().int
    recent.put(ticket, Fold(7))
    assert recent.take(ticket, before=5) is None
    assert recent.take(ticket, before=8) is None


def test_the_longest_unused_goes_first() -> None:
    recent: Recent[Fold] = Recent(size_max=2)
    tickets = [new_id().int for _ in range(3)]
    for ticket in tickets:
        recent.put(ticket, Fold(1))
    assert [recent.take(ticket, before=2) for ticket in tickets] == [None, Fold(1), Fold(1)]
