"""Prepares empty servers: roles, schemas and grants in PostgreSQL, topics in Kafka.

Every step may be repeated: what is right already stays, a changed password takes effect,
nothing is ever dropped.
"""

from deploy.bootstrap.database import BI_READER, SERVICES, DatabasePlan, prepare_database
from deploy.bootstrap.topics import TopicPlan, TopicRefused, prepare_topics

__all__ = [
    "BI_READER",
    "SERVICES",
    "DatabasePlan",
    "TopicPlan",
    "TopicRefused",
    "prepare_database",
    "prepare_topics",
]
