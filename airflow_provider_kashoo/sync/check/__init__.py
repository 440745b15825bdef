"""What in mappings does not fit Salesforce's objects and the books, found before anything is read."""
