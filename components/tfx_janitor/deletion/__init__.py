"""The only floor with the power to destroy: marks, purges, restores, and the record of it all."""
