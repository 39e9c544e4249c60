"""How files are shared out among the workers of `make test`."""

from typing import Final

from xdist.scheduler import LoadFileScheduling

_TOGETHER: Final = ("tests/e2e/", "tests/fault/")
"""Folders whose files share what is dear: a product for each worker that gets one of them would cost a minute."""


class Sharing(LoadFileScheduling):
    """A file goes to one worker; so does a folder that shares a product."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return next((folder for folder in _TOGETHER if file.startswith(folder)), file)
