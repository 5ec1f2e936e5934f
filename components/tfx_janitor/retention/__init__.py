"""Pure decisions: values in, verdicts with reasons out."""
