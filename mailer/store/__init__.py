"""The memory: the only SQL and the only durable state."""
