"""The language of the mapping files, and how records become documents."""
