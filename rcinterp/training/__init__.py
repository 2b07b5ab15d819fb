"""Compact models, initialisation, recipes, fitting, performance."""
