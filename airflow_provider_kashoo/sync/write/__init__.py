"""The plan is executed: one engine, one writer per channel."""
