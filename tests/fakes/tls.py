"""A throw-away certificate authority, so that TLS is tested with verification on."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


class Authority:
    """Its certificates are trusted by who has `SSL_CERT_FILE` set to `pem`."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.pem = folder / "authority.pem"
        self._ca.cert_pem.write_to_path(self.pem)

    def server(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """A server's context with a certificate for these names."""
        until = datetime.now(UTC) - timedelta(days=1) if expired else None
        certificate = self._ca.issue_cert(*(names or ("localhost",)), not_after=until)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context
