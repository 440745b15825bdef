"""HTTP to Kashoo and Salesforce: authentication, paging, error classes. No rule of the sync lives here."""
