"""`python -m services.routing` runs the service with settings from the environment."""

from services.routing.main import build
from services.routing.settings import Settings
from shared.entry import run_service

if __name__ == "__main__":
    run_service("routing", Settings, build)
