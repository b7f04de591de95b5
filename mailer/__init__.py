"""Composes issues, keeps subscriber lists and sends campaigns over SMTP, exactly accounted for."""

__version__ = "0.1.0"
