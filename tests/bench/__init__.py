"""Measurements, as ratios within one run: machines are shared, and a timing never decides a test."""
