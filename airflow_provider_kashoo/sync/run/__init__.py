"""One run: its two sides, its files, its waits."""
