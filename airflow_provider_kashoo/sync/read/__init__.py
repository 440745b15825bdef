"""What changed on either side, and what the books know."""
