"""What a person does from the command line."""
