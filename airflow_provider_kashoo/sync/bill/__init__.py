"""What is to be written to the books."""
