"""What was decided and done, for people (terminal tables, sentences) and for programs (JSON documents)."""
