"""Keeps the private keys that sign mails: one PEM file a selector, for its owner's eyes only."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from mailer.adapters.workspace import unwritable
from mailer.errors import Fault, InputError, SettingsError
from mailer.message.keys import RSA_BITS, SigningKey, SigningKeyError, parse_keys

_LARGEST = 64 * 1024


class KeyFolder:
    """Fulfils ``ports.KeyFiles``: ``DOMAIN/SELECTOR.pem`` under one folder.

    ``named`` is the file that the settings give for one selector; it may lie anywhere.
    """

    def __init__(
        self, folder: Path, *, named: Path | None = None, domain: str = "", selector: str = ""
    ) -> None:
        self._folder = folder
        self._named = {(domain, selector): named} if named else {}

    def place(self, domain: str, selector: str) -> str:
        """The path of a key, for people."""
        return str(self._path(domain, selector))

    def load(self, domain: str, selector: str) -> Sequence[SigningKey]:
        """Reads the keys of a selector.

        Raises SettingsError when the file is missing, can't be read, holds no right key, or when
        others on this machine may read it.
        """
        path = self._path(domain, selector)
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                pem = file.read(_LARGEST)
        except FileNotFoundError:
            raise _unusable(
                path, "there is no such file", f"`mailer keys new {selector}` makes one."
            ) from None
        except OSError as error:
            raise _unusable(path, error.strerror or str(error), "Mend its rights.") from error
        if mode & (stat.S_IROTH | stat.S_IWOTH):
            raise _unusable(
                path, "everybody on this machine may read it or write it", f"Run: chmod 600 {path}"
            )
        try:
            return parse_keys(pem, selector)
        except SigningKeyError as error:
            raise _unusable(path, str(error).rstrip("."), "`mailer keys new` makes one.") from None

    def create(self, domain: str, selector: str, *, ed25519_too: bool) -> str:
        """Makes a key and returns where it lies. Raises InputError when there is one already."""
        path = self._path(domain, selector)
        keys: list[rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey] = [
            rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        ]
        if ed25519_too:
            keys.append(ed25519.Ed25519PrivateKey.generate())
        pem = b"".join(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            for key in keys
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise InputError(Fault("There is a key already; it is not overwritten.", str(path)),
                             hint="Choose another selector.") from None  # fmt: skip
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):  # half a key is none
                path.unlink()
            raise unwritable(path, error) from error
        return str(path)

    def selectors(self, domain: str) -> Sequence[str]:
        """The selectors of a domain whose keys are here, the newest first."""
        found = {path.stem: path for path in (self._folder / domain).glob("*.pem")}
        for (named_domain, selector), path in self._named.items():
            if named_domain == domain and path.exists():
                found[selector] = path
        ages = {selector: path.stat().st_mtime_ns for selector, path in found.items()}
        return sorted(ages, key=lambda selector: (-ages[selector], selector))

    def remove(self, domain: str, selector: str) -> None:
        """Removes a key that nothing signs with any more."""
        path = self._path(domain, selector)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(path, error) from error

    def _path(self, domain: str, selector: str) -> Path:
        return self._named.get((domain, selector)) or self._folder / domain / f"{selector}.pem"


def _unusable(path: Path, why: str, hint: str) -> SettingsError:
    return SettingsError(Fault(f"The DKIM key {path} can't be used: {why}.", hint=hint))
