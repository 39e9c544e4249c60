"""`python -m deploy.reference [page …]`: write the reference pages of `docs/` anew; without names, all of them."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.reference.bi import bi_page
from deploy.reference.catalogue import catalogue_page
from deploy.reference.events import events_page
from deploy.reference.files import files_page
from deploy.reference.metrics import metrics_page
from deploy.reference.settings import settings_page
from shared.observability.logs import configure_logging

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGES: Final[dict[str, Callable[[], str]]] = {
    "bi": bi_page,
    "metrics-catalogue": catalogue_page,
    "events": events_page,
    "metrics": metrics_page,
    "settings": settings_page,
    "settings-files": files_page,
}


def main(names: list[str]) -> int:
    """Write these pages; returns the exit status, 2 for a page that does not exist."""
    if unknown := sorted(set(names) - PAGES.keys()):
        sys.stderr.write(f"no such page: {', '.join(unknown)}; there are {', '.join(PAGES)}\n")
        return 2
    configure_logging(service="reference", log_format="console", level="WARNING")
    for name in names or PAGES:
        target = DOCS / f"{name}.md"
        target.write_text(PAGES[name](), encoding="utf-8")
        sys.stdout.write(f"docs/{target.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
