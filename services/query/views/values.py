"""Values on their way into a statement that is put together from parts."""

from typing import Any

from psycopg.sql import Placeholder


class Values(dict[str, Any]):
    """The values of a statement by the names of their placeholders."""

    def put(self, value: Any) -> Placeholder:
        """A place for one more."""
        name = f"value{len(self)}"
        self[name] = value
        return Placeholder(name)
