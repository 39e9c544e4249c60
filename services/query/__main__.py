"""`python -m services.query`."""

from services.query.main import build
from services.query.settings import QuerySettings

if __name__ == "__main__":
    build(QuerySettings()).run()
