"""The face for the terminal. Commands import what they need when they run: help must be quick."""
