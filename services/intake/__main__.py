"""`python -m services.intake` runs the service with settings from the environment."""

from services.intake.main import build
from services.intake.settings import Settings
from shared.entry import run_service

if __name__ == "__main__":
    run_service("intake", Settings, build)
