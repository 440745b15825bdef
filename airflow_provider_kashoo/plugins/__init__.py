"""The plugin for the API server, which creates pools and store when it starts."""
