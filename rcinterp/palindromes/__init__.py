"""Likeness to the own reverse complement; true palindrome, hybrid, half-site."""
