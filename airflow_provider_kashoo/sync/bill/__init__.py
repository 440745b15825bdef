"""Plan ``salesforce_to_kashoo``: what is to be written to the books."""
