"""The connections that views read through."""

from typing import TypeAlias

import psycopg
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool

Pool: TypeAlias = AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]
