"""Events out to Kafka (relay) and in from Kafka (consumer), once each and in order."""

from shared.messaging.consumer import Consumer, Handler
from shared.messaging.records import Received
from shared.messaging.relay import Relay

__all__ = ["Consumer", "Handler", "Received", "Relay"]
