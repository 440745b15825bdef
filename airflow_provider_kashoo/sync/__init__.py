"""The steps (preflight, extract, plan, approve, apply, commit), callable from plain Python."""
