"""`python -m services.routing` runs the service with settings from the environment."""

from services.routing.main import build
from services.routing.settings import Settings

if __name__ == "__main__":
    build(Settings()).run()
