"""What a record, an amount, a date and a reference are."""
