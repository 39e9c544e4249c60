"""The four services; they meet only on Kafka."""
