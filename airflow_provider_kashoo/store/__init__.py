"""The sync store: what is linked, what was sent, how far each delta was read, and the request budget."""
