"""How far a process steps back for others of its machine."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_AUTOGROUP: Final = Path("/proc/self/autogroup")
"""Where Linux says, and takes, the niceness of a whole session (`man 7 sched`, autogroups)."""


def step_back(niceness: int) -> None:
    """Let others go first.

    Linux with autogroups shares processors among sessions before it looks at niceness within one. A service that
    leads a session of its own would step back for nobody but itself, so its session steps back as well.

    Args:
        niceness: 0 (not at all) to 19, as `nice` has it.
    """
    os.nice(niceness)
    if niceness and os.getsid(0) == os.getpid():
        with suppress(OSError):  # no autogroups here: then niceness alone decides
            _AUTOGROUP.write_text(str(niceness))
