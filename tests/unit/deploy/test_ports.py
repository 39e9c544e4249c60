"""Installations that start at the same moment never choose the same port."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from deploy.local import ports
from deploy.local.folder import StateFolder


@pytest.fixture
def preferred() -> int:
    """A port that is free."""
    port, claim = ports.choose(avoid=set())
    claim.close()
    return port


def test_a_chosen_port_is_nobody_elses_before_anything_listens_on_it(
    tmp_path: Path, preferred: int
):
    first, second, third = (StateFolder(tmp_path / name) for name in ("first", "second", "third"))
    assert first.port("front-door", preferred=preferred) == preferred
    assert second.port("front-door", preferred=preferred) != preferred
    first.release()
    assert third.port("front-door", preferred=preferred) == preferred


def test_of_many_that_choose_at_once_one_gets_what_all_prefer(tmp_path: Path, preferred: int):
    folders = [StateFolder(tmp_path / str(number)) for number in range(8)]
    together = Barrier(len(folders))

    def choose(folder: StateFolder) -> int:
        together.wait()
        return folder.port("front-door", preferred=preferred)

    with ThreadPoolExecutor(len(folders)) as threads:
        chosen = list(threads.map(choose, folders))
    assert len(set(chosen)) == len(folders)
    assert chosen.count(preferred) == 1


def test_a_remembered_port_is_kept_from_newcomers_while_its_installation_starts(
    tmp_path: Path, preferred: int
):
    before = StateFolder(tmp_path / "old")
    before.port("front-door", preferred=preferred)
    before.release()
    again = StateFolder(tmp_path / "old")
    assert again.port("front-door", preferred=preferred) == preferred
    assert StateFolder(tmp_path / "new").port("front-door", preferred=preferred) != preferred


def test_a_folder_that_is_asked_again_says_the_same(tmp_path: Path, preferred: int):
    folder = StateFolder(tmp_path)
    assert [folder.port("front-door", preferred=preferred) for _ in range(2)] == [preferred] * 2
