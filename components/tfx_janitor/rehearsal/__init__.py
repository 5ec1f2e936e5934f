"""What a policy would do: to imagined histories, to the store's own past, beside another policy."""
