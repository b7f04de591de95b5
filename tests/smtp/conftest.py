"""What the tests of the wire share: a server's certificate, made once."""

from __future__ import annotations

import ssl

import pytest

from mailer.smtp.route import system_context
from tests.certificates import Certificate, make_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for localhost and 127.0.0.1."""
    return make_certificate(tmp_path_factory.mktemp("certificate"), "localhost", "127.0.0.1")


@pytest.fixture
def trusting(certificate: Certificate) -> ssl.SSLContext:
    """A client's context that trusts the authority of ``certificate``, and no other."""
    return system_context(str(certificate.authority))
