"""The sync store: links, journalled writes, how far each source was read, and the request budget."""
