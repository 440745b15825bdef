"""What Salesforce is to be told."""
