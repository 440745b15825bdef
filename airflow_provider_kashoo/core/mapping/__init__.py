"""The language of the mapping files, and what it makes of records."""
