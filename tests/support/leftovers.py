"""What a test file leaves open is told by that file, not by the test during which the garbage collector finds it.

A plugin of pytest: after the last test of a file it collects the garbage, and the teardown of that test fails with all
that complains.
"""

import gc
import sys
from collections.abc import Iterator

import pytest


class LeftOpen(Exception):
    """Objects that nobody holds any more and nobody has closed; or others whose end failed."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """After the fixtures of the file, also when one of them failed: what it left would be found in the next file."""
    try:
        return (yield)
    finally:
        if nextitem is None or nextitem.path != item.path:
            if isinstance(item, pytest.Function):
                item.funcargs.clear()  # pytest lets go of them only after this
            if nextitem is None:
                gc.unfreeze()  # what lived as long as the run ends now
            found = _complaints()
            if nextitem is not None:
                gc.freeze()  # what lives on need not be walked again after each file
            if found:
                raise LeftOpen("\n".join([f"found after {item.path.name}:", *found]))


def _complaints() -> list[str]:
    found: list[str] = []

    def note(unraisable: "sys.UnraisableHookArgs") -> None:
        # As text at once: to keep the object would bring it back to life.
        found.append(f"{unraisable.object!r}: {unraisable.exc_value!r}")

    before, sys.unraisablehook = sys.unraisablehook, note
    try:
        _let_go_of_apps()
        gc.collect()
    finally:
        sys.unraisablehook = before
    return found


def _let_go_of_apps() -> None:
    """FastAPI remembers endpoints, and with them all that their apps hold, until those of later apps push them out."""
    models = sys.modules.get("fastapi.dependencies.models")
    for one in [*vars(models).values()] if models else []:
        if clear := getattr(one, "cache_clear", None):
            clear()
