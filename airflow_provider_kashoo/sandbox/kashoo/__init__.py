"""A simulated Kashoo."""
