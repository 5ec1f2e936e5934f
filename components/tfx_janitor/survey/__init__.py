"""What storage says about the payloads that lineage and policy make interesting."""
