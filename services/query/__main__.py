"""`python -m services.query` runs the service with settings from the environment."""

from services.query.main import build
from services.query.settings import Settings
from shared.entry import run_service

if __name__ == "__main__":
    run_service("query", Settings, build)
