"""The simulated Salesforce: rows and rules, SOQL, and the REST API over both."""
