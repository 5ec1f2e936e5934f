"""Pipelines that show how the components are used."""
