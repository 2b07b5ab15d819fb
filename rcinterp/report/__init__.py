"""Logos and pages."""
