"""The tie-out: what was won, what this sync billed, and what the books say, compared; it writes to neither side."""
