"""Secrets by reference: a sink's document says where a secret is kept, never what it is.

Only what was put there for sinks can be named: otherwise whoever may edit a sink could have any of
the service's own secrets sent to an address of their choice.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE_PREFIX: Final = "TICKETING_SINK_"
FILE_BYTES_MAX: Final = 16_384

_REFERENCE: Final = re.compile(
    rf"env:{VARIABLE_PREFIX}[A-Z0-9_]{{1,80}}|file:[A-Za-z0-9_][A-Za-z0-9._-]{{0,80}}"
)


class SecretMissing(ValueError):
    """A document names a secret that is not there."""


def is_reference(text: str) -> bool:
    """Whether `text` has the form of a reference."""
    return _REFERENCE.fullmatch(text) is not None


class Secrets:
    """Reads what references lead to.

    Args:
        environment: variables; those that begin with `TICKETING_SINK_` can be named.
        folder: files in it can be named; None: none can.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path | None) -> None:
        self._environment = environment
        self._folder = folder

    def read(self, reference: str) -> str:
        """The secret behind `env:TICKETING_SINK_NAME` or `file:NAME`, without white space around it.

        Raises:
            SecretMissing: it has another form, or there is nothing behind it.
        """
        if not is_reference(reference):
            # What stands there instead may be the secret itself: it is not repeated.
            raise SecretMissing(
                f"a secret is named as env:{VARIABLE_PREFIX}NAME or file:NAME, never written out"
            )
        kind, _, name = reference.partition(":")
        found = self._environment.get(name) if kind == "env" else self._file(name)
        if found is None or not found.strip():
            raise SecretMissing(f"there is nothing behind {reference}")
        return found.strip()

    def _file(self, name: str) -> str | None:
        if self._folder is None:
            raise SecretMissing("file: needs TICKETING_ALERT_SECRETS_FOLDER")
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(FILE_BYTES_MAX).decode()
        except (OSError, UnicodeDecodeError):
            return None
