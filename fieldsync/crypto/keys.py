"""Device keys (Ed25519), and the server's self-signed certificate."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fieldsync.environment import SYSTEM, Environment

SIGNATURE_SIZE = 64
DEVICE_SIZE = 16
_PRIVATE_SIZE = 32


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A device's Ed25519 key pair: it signs, and its public half names the device."""

    public: bytes
    _private: Ed25519PrivateKey

    @classmethod
    def generate(cls, environment: Environment = SYSTEM) -> "DeviceKey":
        """Return a new random key."""
        return cls.from_bytes(environment.random_bytes(_PRIVATE_SIZE))

    @classmethod
    def from_bytes(cls, private: bytes) -> "DeviceKey":
        """Return the key of 32 private bytes; ValueError for any other length."""
        return cls._from_private(Ed25519PrivateKey.from_private_bytes(private))

    @classmethod
    def _from_private(cls, private: Ed25519PrivateKey) -> "DeviceKey":
        return cls(private.public_key().public_bytes_raw(), private)

    def to_bytes(self) -> bytes:
        """Return the 32 private bytes, for the encrypted store and nowhere else."""
        return self._private.private_bytes_raw()

    @property
    def device(self) -> bytes:
        """The 16-byte device id of this key."""
        return device_id(self.public)

    def successor_key(self, link: bytes) -> "DeviceKey":
        """Return the key that every copy of this one comes to for the same commits: those from this chain hash on."""
        return self.from_bytes(hashlib.sha256(b"fieldsync heir 1" + self.to_bytes() + link).digest())

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of a message."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"DeviceKey({self.device.hex()})"


@lru_cache(maxsize=1024)
def _load_public_key(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)


def verify_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether a signature of a message holds for 32 public bytes; malformed ones do not."""
    try:
        _load_public_key(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def device_id(public: bytes) -> bytes:
    """Return the 16-byte id that a device's 32 public bytes fix for ever."""
    return hashlib.sha256(b"fieldsync device 1" + public).digest()[:DEVICE_SIZE]


def make_certificate(hosts: list[str]) -> tuple[bytes, bytes]:
    """Return (certificate, private key) in PEM for host names or IP addresses, self-signed, P-256.

    Laptops pin its fingerprint, so it lives for 50 years, from a fixed day: no clock can be before.
    ValueError if a host is neither an address nor a name.
    """
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def name_of(host: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            return x509.DNSName(host.encode("idna").decode("ascii"))

    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fieldsync server")])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,  # it vouches for itself, which strict checkers want to see written
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start.replace(year=start.year + 50))
        .add_extension(x509.SubjectAlternativeName([name_of(host) for host in hosts]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(subject_key, critical=False)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def certificate_fingerprint(certificate: bytes) -> bytes:
    """Return the 32-byte SHA-256 of a PEM certificate's DER, which laptops pin."""
    import ssl

    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.decode("ascii"))).digest()
