"""What the API server loads: pools are created at its start."""
