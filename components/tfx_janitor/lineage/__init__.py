"""What ML Metadata knows, as an immutable value."""
