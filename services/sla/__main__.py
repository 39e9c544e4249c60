"""Runs the sla service: `python -m services.sla`."""

from services.sla.main import build
from services.sla.settings import Settings

if __name__ == "__main__":
    build(Settings()).run()
