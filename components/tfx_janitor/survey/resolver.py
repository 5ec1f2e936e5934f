"""Resolves very many URIs: siblings share a parent, whose links are followed once."""

from __future__ import annotations

import os

from tfx_janitor.payload.places import Place, parse, resolve


class Resolver:
    """`places.resolve` for all URIs of a store, as the disk is while it lives."""

    def __init__(self) -> None:
        """Knows no parent yet."""
        self._parents: dict[str, str] = {}

    def __call__(self, uri: str) -> Place:
        """See `places.resolve`."""
        place = parse(uri)
        if not place.local or "/.." in uri:
            return resolve(uri)
        parent, name = os.path.split(place.path)
        real = self._parents.get(parent)
        if real is None:
            real = self._parents[parent] = os.path.realpath(parent)
        path = os.path.join(real, name)
        return resolve(path) if os.path.islink(path) else Place(place.scheme, path)
