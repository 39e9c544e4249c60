"""What the outside can see of a running service: logs, metrics, correlation."""
