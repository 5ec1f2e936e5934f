"""A model of the deletion protocol, small enough that every interleaving of it can be looked at."""
