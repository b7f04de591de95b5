"""Measurements, as ratios within one run: machines are shared. A timing never decides a test."""
