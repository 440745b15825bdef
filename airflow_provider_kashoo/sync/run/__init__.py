"""One run: both sides, its staged files, and waiting for the request budget."""
