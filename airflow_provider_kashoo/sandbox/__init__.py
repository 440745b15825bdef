"""A simulated Salesforce and a simulated Kashoo over real HTTP, for demos and tests."""
