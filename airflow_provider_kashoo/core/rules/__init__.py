"""What may be written, what a person must decide, and the states of a write. Pure rules."""
