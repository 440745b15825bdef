"""HTTP to Kashoo and Salesforce: authentication, paging, error classes. No rules of the sync."""
