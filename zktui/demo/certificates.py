"""A certificate for one run of the rehearsal server, made without a program or a library beyond Python's own.

kubectl sends a token only over TLS, and clients must meet TLS here as they do on a real cluster. The key is
P-256, lives in memory (and for a moment in a private file, since :mod:`ssl` loads keys from files only), and
ends with the process. Nothing but this throw-away server on loopback relies on it: the arithmetic is plain,
not hardened against somebody who measures its time.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

# The curve P-256 (FIPS 186-4, D.1.2.3): y² = x³ - 3x + b over the integers modulo P, base point (GX, GY), order N.
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
Point = tuple[int, int] | None

VALID = timedelta(days=30)


def _add(one: Point, two: Point) -> Point:
    """The sum of two points; None is the point at infinity."""
    if one is None or two is None:
        return one or two
    (x1, y1), (x2, y2) = one, two
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, P) if one == two else (y2 - y1) * pow(x2 - x1, -1, P)
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P


def _times(factor: int) -> tuple[int, int]:
    """``factor`` times the base point, for a factor between 1 and N - 1."""
    total: Point = None
    power: Point = (GX, GY)
    while factor:
        if factor & 1:
            total = _add(total, power)
        power = _add(power, power)
        factor >>= 1
    assert total is not None
    return total


def _sign(key: int, message: bytes) -> bytes:
    """ECDSA with SHA-256, as DER."""
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    while True:
        nonce = 1 + secrets.randbelow(N - 1)
        r = _times(nonce)[0] % N
        s = pow(nonce, -1, N) * (digest + r * key) % N
        if r and s:
            return _sequence(_integer(r), _integer(s))


# -- DER (X.690): a tag, a length, the contents ----------------------------------------------------------


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 128 | len(length)]) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _bits(content: bytes, unused: int = 0) -> bytes:
    return _der(0x03, bytes([unused]) + content)


def _oid(text: str) -> bytes:
    first, second, *rest = [int(part) for part in text.split(".")]
    encoded = bytearray([first * 40 + second])
    for number in rest:
        digits = [number & 127]
        while number := number >> 7:
            digits.append(128 | number & 127)
        encoded += bytes(reversed(digits))
    return _der(0x06, bytes(encoded))


def _time(moment: datetime) -> bytes:
    return _der(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def _extension(oid: str, content: bytes, *, critical: bool = False) -> bytes:
    flag = _der(0x01, b"\xff") if critical else b""
    return _sequence(_oid(oid), flag, _der(0x04, content))


EC_PUBLIC_KEY, PRIME256V1, ECDSA_SHA256 = "1.2.840.10045.2.1", "1.2.840.10045.3.1.7", "1.2.840.10045.4.3.2"
COMMON_NAME, SERVER_AUTH = "2.5.4.3", "1.3.6.1.5.5.7.3.1"
BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_USAGE, ALT_NAME, KEY_ID = (
    "2.5.29.19",
    "2.5.29.15",
    "2.5.29.37",
    "2.5.29.17",
    "2.5.29.14",
)


def _certificate(key: int, address: str) -> bytes:
    """A self-signed X.509 v3 certificate, DER, for the address as subject alternative name."""
    x, y = _times(key)
    point = b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
    name = _sequence(_der(0x31, _sequence(_oid(COMMON_NAME), _der(0x0C, b"zktui demo"))))
    now = datetime.now(UTC)
    names = _sequence(_der(0x87, ipaddress.ip_address(address).packed), _der(0x82, b"localhost"))
    # Signing of certificates is bit 5 of the usage: the certificate is its own authority.
    extensions = _sequence(
        _extension(BASIC_CONSTRAINTS, _sequence(_der(0x01, b"\xff")), critical=True),
        _extension(KEY_USAGE, _bits(b"\x84", 2), critical=True),
        _extension(EXTENDED_USAGE, _sequence(_oid(SERVER_AUTH))),
        _extension(ALT_NAME, names),
        _extension(KEY_ID, _der(0x04, hashlib.sha256(point).digest()[:20])),
    )
    body = _sequence(
        _der(0xA0, _integer(2)),
        _integer(1 + secrets.randbits(126)),
        _sequence(_oid(ECDSA_SHA256)),
        name,
        # An hour back, for a client whose clock is behind.
        _sequence(_time(now - timedelta(hours=1)), _time(now + VALID)),
        name,
        _sequence(_sequence(_oid(EC_PUBLIC_KEY), _oid(PRIME256V1)), _bits(point)),
        _der(0xA3, extensions),
    )
    return _sequence(body, _sequence(_oid(ECDSA_SHA256)), _bits(_sign(key, body)))


def _pem(label: str, content: bytes) -> str:
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, both as PEM."""

    certificate: str
    key: str

    @classmethod
    def self_signed(cls, address: str) -> Certificate:
        """A new certificate for an IP address (and ``localhost``), valid for :data:`VALID`."""
        key = 1 + secrets.randbelow(N - 1)
        private = _sequence(_integer(1), _der(0x04, key.to_bytes(32, "big")), _der(0xA0, _oid(PRIME256V1)))
        return cls(_pem("CERTIFICATE", _certificate(key, address)), _pem("EC PRIVATE KEY", private))

    def base64(self) -> str:
        """The certificate as a kubeconfig's ``certificate-authority-data``."""
        return base64.b64encode(self.certificate.encode()).decode()

    def server_context(self) -> ssl.SSLContext:
        """A context to serve with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with tempfile.TemporaryDirectory() as folder:
            # TemporaryDirectory makes a folder that only its owner can enter.
            path = Path(folder, "server.pem")
            path.write_text(self.key + self.certificate)
            context.load_cert_chain(path)
        return context

    def client_context(self) -> ssl.SSLContext:
        """A context that trusts this certificate and no other."""
        return ssl.create_default_context(cadata=self.certificate)
