"""What people are told: what is wrong now, and what was billed."""
