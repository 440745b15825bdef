"""What may be written, what a person must decide, and how a write lives. Pure rules."""
