"""The five steps (delta, plan, approve, apply, commit), callable from plain Python."""
