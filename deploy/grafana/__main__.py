"""`python -m deploy.grafana`: write the boards' files anew."""

import sys
from pathlib import Path
from typing import Final

from deploy.grafana.boards import BOARDS
from deploy.grafana.panels import as_file

DASHBOARDS: Final = Path(__file__).parent / "dashboards"


def main() -> int:
    """Write every board of `boards`."""
    for board in BOARDS:
        target = DASHBOARDS / f"{board.name}.json"
        target.write_text(as_file(board), encoding="utf-8")
        sys.stdout.write(f"deploy/grafana/dashboards/{target.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
