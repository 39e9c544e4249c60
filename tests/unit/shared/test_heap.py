"""The collector is set for a service: what was built is never walked again, cycles still go."""

import subprocess
import sys

_CYCLES = """
import gc, sys
from shared import heap
class Node:
    alive = 0
    def __init__(self): self.me = self; Node.alive += 1
    def __del__(self): Node.alive -= 1
built = [Node() for _ in range(10)]
heap.settle()
assert gc.get_freeze_count() > 1_000, gc.get_freeze_count()
assert not any(one is built for one in gc.get_objects()), "still walked"
for _ in range(300_000): Node()
print(Node.alive - len(built))
"""


def test_cycles_are_found_before_they_are_many() -> None:
    said = subprocess.run(
        [sys.executable, "-c", _CYCLES], check=True, capture_output=True, text=True
    ).stdout
    assert int(said) < 20_000
