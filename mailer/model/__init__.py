"""The nouns: rows, closed vocabularies, allowed moves. Importing this imports nothing."""
