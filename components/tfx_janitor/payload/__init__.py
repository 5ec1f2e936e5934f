"""What lies at an artifact's URI: recognised, measured and verified straight from its files."""
