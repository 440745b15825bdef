"""What one expression, format or conversion makes of columns; nothing here knows a mapping file."""
