"""`python -m services.sla` runs the service with settings from the environment."""

from services.sla.main import build
from services.sla.settings import Settings
from shared.entry import run_service

if __name__ == "__main__":
    run_service("sla", Settings, build)
