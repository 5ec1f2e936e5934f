"""What to keep and what may go, in words: the schema of a policy, and everything that it refuses."""
