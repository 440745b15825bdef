"""Plan ``kashoo_to_salesforce``: what is to be written back to Salesforce."""
