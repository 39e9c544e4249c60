"""Prepares empty servers: roles, schemas and grants in PostgreSQL, topics in Kafka.

Every step may be repeated: what is right already stays, a changed password takes effect,
nothing is ever dropped. Only when told that Kafka was lost, the places in its log are forgotten.
"""

from deploy.bootstrap.database import BI_READER, SERVICES, DatabasePlan, prepare_database
from deploy.bootstrap.log import StillRunning, start_log_over
from deploy.bootstrap.topics import TopicPlan, TopicRefused, prepare_topics

__all__ = [
    "BI_READER",
    "SERVICES",
    "DatabasePlan",
    "StillRunning",
    "TopicPlan",
    "TopicRefused",
    "prepare_database",
    "prepare_topics",
    "start_log_over",
]
