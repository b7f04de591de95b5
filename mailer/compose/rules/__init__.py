"""The rules of ``issues check``: one file a family, one registry."""
