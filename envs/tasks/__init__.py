"""Motley."""
