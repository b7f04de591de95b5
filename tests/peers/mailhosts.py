"""Runs a real Postfix as a strict receiver: its own configuration, queue and mailbox in a folder.

Its ``master`` runs as root only. It asks for an owner of the queue and for a group for submission
that nobody else uses here; two that every Debian has stand in for Postfix's own.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.certificates import Certificate, make_certificate
from tests.peers.programs import (
    NOBODY,
    POSTFIX,
    ended_with_all_its_own,
    free_port,
    open_folder,
    postfix,
    postfix_environment,
    wait_for_port,
)

OWNER, GROUP = "news", "uucp"
# As Postfix ships it; `!` is for the group that may write there.
_QUEUE = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private"),
    *("saved", "trace", "maildrop!", "public!", "pid."),
)
_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = {postfix}/usr/sbin
daemon_directory = {postfix}/usr/lib/postfix/sbin
shlib_directory = {postfix}/usr/lib/postfix
meta_directory = {folder}/etc
mail_owner = {owner}
setgid_group = {group}
default_privs = nobody
import_environment = MAIL_CONFIG LANG=C TZ=UTC LD_LIBRARY_PATH={postfix}/usr/lib/postfix
maillog_file = {folder}/log
maillog_file_prefixes = {folder}

myhostname = strict.example.net
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
smtpd_peername_lookup = no
disable_dns_lookups = yes
alias_maps =
local_recipient_maps =
default_transport = error:nothing leaves this machine
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:box/
virtual_mailbox_base = {folder}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}

# As strict as it can be.
smtpd_helo_required = yes
strict_rfc821_envelopes = yes
strict_mime_encoding_domain = yes
smtpd_forbid_bare_newline = reject
smtpd_forbid_unauth_pipelining = yes
smtpd_data_restrictions = reject_unauth_pipelining, reject_multi_recipient_bounce
smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname
smtpd_sender_restrictions = reject_non_fqdn_sender
smtpd_recipient_restrictions =
    reject_non_fqdn_recipient,
    check_recipient_access inline:{{ {refusals} }},
    reject_unauth_destination
local_header_rewrite_clients =
smtputf8_enable = yes
message_size_limit = 1000000
line_length_limit = 1000

smtpd_sasl_local_domain = strict.example.net
smtpd_tls_chain_files = {key}, {chain}
tls_random_source = dev:/dev/urandom
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd -o cleanup_service_name=strict
127.0.0.1:{tls_port} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
{logins}
cleanup unix n - n - 0 cleanup
strict unix n - n - 0 cleanup -o strict_7bit_headers=yes -o strict_8bitmime_body=yes
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


_LOGIN = """\
127.0.0.1:{port} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes -o smtpd_sasl_mechanism_filter={way}{asks}
  -o {{ smtpd_sender_restrictions = permit_sasl_authenticated, reject }}
"""
_SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {folder}/db
mech_list: SCRAM-SHA-256 PLAIN LOGIN
"""
_ASKS_DOVECOT = " -o smtpd_sasl_type=dovecot -o smtpd_sasl_path={socket}"
LOGIN = ("news", "dürüm, =1")
CYRUS_WAYS = ("scram-sha-256", "plain", "login")


@dataclass(frozen=True)
class Delivered:
    """One mail in the mailbox: for whom, and its octets without what Postfix put above."""

    recipient: str
    sender: str
    data: bytes


@dataclass(frozen=True)
class Mailhost:
    """A running Postfix."""

    port: int  # takes no octet above 127 in a header, not even with SMTPUTF8
    tls_port: int  # takes that, and nothing before STARTTLS
    certificate: Certificate
    folder: Path
    login_ports: Mapping[str, int]  # mechanisms → port where one must sign in, by these alone

    @property
    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text("utf-8") if file.exists() else ""

    def mailbox(self, count: int, seconds: float = 30) -> list[Delivered]:
        """Takes what lies in the mailbox, once that many have been delivered or time is up."""
        return [_read(data) for data in self.raw_mailbox(count, seconds)]

    def raw_mailbox(self, count: int, seconds: float = 30) -> list[bytes]:
        """The same, as it lies there."""
        give_up = time.monotonic() + seconds
        new = self.folder / "box/new"
        while time.monotonic() < give_up:
            files = list(new.iterdir()) if new.is_dir() else []
            if len(files) >= count and not self._under_way():
                break
            time.sleep(0.05)
        taken = [file.read_bytes() for file in files]
        for file in files:
            file.unlink()
        return taken

    def _under_way(self) -> bool:
        return any(
            file.is_file()
            for queue in ("incoming", "active", "deferred")
            for file in (self.folder / "queue" / queue).rglob("*")
        )


@contextmanager
def hosting(
    refusals: Mapping[str, str], *, logins: Sequence[str] = (), dovecot: Path | None = None
) -> Iterator[Mailhost]:
    """Runs Postfix while the block runs; ``refusals``: what is said for a recipient.

    For each of ``logins``, mechanisms with commas between, it also has a port where one must sign
    in. Who may is what Dovecot says at this socket; without one Cyrus SASL does, and knows LOGIN.
    """
    if logins and dovecot is None:
        postfix("saslpasswd2")
    master = postfix("master")
    if os.geteuid() != 0:
        pytest.skip("A whole Postfix runs as root only; ./scripts/peers installs it for root")
    with open_folder("postfix") as folder:
        host = Mailhost(
            free_port(),
            free_port(),
            make_certificate(folder, "localhost", "127.0.0.1"),
            folder,
            {way: free_port() for way in logins},
        )
        _furnish(host, refusals, dovecot)
        process = subprocess.Popen(
            [master, "-d", "-c", str(folder / "etc")],
            env=postfix_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with ended_with_all_its_own(process, host):
            wait_for_port(host.port, process)
            yield host


def _furnish(host: Mailhost, refusals: Mapping[str, str], dovecot: Path | None) -> None:
    folder = host.folder
    for name in _QUEUE:
        path = folder / "queue" / name.strip("!.")
        path.mkdir(parents=True, mode=0o700)
        if name.endswith("."):
            continue  # root's
        shutil.chown(path, OWNER, GROUP if name.endswith("!") else None)
        path.chmod({"maildrop!": 0o730, "public!": 0o710}.get(name, 0o700))
    for name, owner in (("data", OWNER), ("box", NOBODY), ("etc", "root")):
        (folder / name).mkdir()
        shutil.chown(folder / name, owner)
    if host.login_ports and dovecot is None:
        _furnish_logins(folder / "etc/sasl")
    asks = _ASKS_DOVECOT.format(socket=dovecot) if dovecot else ""
    words = {
        "logins": "".join(
            _LOGIN.format(port=port, way=way, asks=asks) for way, port in host.login_ports.items()
        ),
        "folder": folder,
        "postfix": POSTFIX,
        "owner": OWNER,
        "group": GROUP,
        "uid": pwd.getpwnam(NOBODY).pw_uid,
        "refusals": ", ".join(f"{{{who} = {what}}}" for who, what in refusals.items()),
        "key": host.certificate.key,
        "chain": host.certificate.chain,
        "port": host.port,
        "tls_port": host.tls_port,
    }
    (folder / "etc/main.cf").write_text(_MAIN.format(**words), "utf-8")
    (folder / "etc/master.cf").write_text(_MASTER.format(**words), "utf-8")


def _furnish_logins(folder: Path) -> None:
    """Debian's Postfix looks for SASL's own settings beside its own, and nowhere else."""
    folder.mkdir()
    (folder / "smtpd.conf").write_text(_SASL.format(folder=folder), "utf-8")
    name, password = LOGIN
    realm = ["-u", "strict.example.net"]
    subprocess.run(
        [postfix("saslpasswd2"), "-c", "-p", "-f", str(folder / "db"), *realm, name],
        input=password.encode(),
        check=True,
        timeout=20,
    )
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, OWNER)


def _read(data: bytes) -> Delivered:
    """Parts the mail from the fields above it: ours begin with Date."""
    above, _, rest = data.partition(b"\nDate: ")
    said = dict(re.findall(r"^(Return-Path|Delivered-To): (.*)$", above.decode(), re.MULTILINE))
    text = b"Date: " + rest
    return Delivered(
        said["Delivered-To"], said["Return-Path"].strip("<>"), text.replace(b"\n", b"\r\n")
    )
