"""Who is calling: API keys, timestamps against the venue's clock, signatures over the raw bytes."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.params import Params

AHEAD_MS_MAX = 1000
RECV_WINDOW_MS = 5000
RECV_WINDOW_MS_MAX = 60000
STAMP_CHARS_MAX = 20
KEY_FORMAT = re.compile(r"[A-Za-z0-9]{64}")


class KeyKind(StrEnum):
    HMAC = "HMAC"
    RSA = "RSA"
    ED25519 = "ED25519"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One API key: whose account it opens and what proves it. `material` is a secret, or a PEM public key."""

    api_key: str
    account: str
    kind: KeyKind
    material: str

    def proves(self, payload: bytes, signature: str) -> bool:
        """Tell whether the (already percent-decoded) signature was made over exactly these bytes."""
        if self.kind is KeyKind.HMAC:
            made = hmac.new(self.material.encode(), payload, hashlib.sha256).hexdigest()
            return hmac.compare_digest(made.encode(), signature.lower().encode(errors="replace"))
        try:
            raw = base64.b64decode(signature, validate=True)
            public = load_pem_public_key(self.material.encode())
            if isinstance(public, rsa.RSAPublicKey):
                public.verify(raw, payload, padding.PKCS1v15(), SHA256())
            elif isinstance(public, ed25519.Ed25519PublicKey):
                public.verify(raw, payload)
            else:
                return False
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def asymmetric(api_key: str, account: str, pem: str) -> Key:
    """Make a key from a PEM public key; its kind is read off the PEM."""
    public = load_pem_public_key(pem.encode())
    match public:
        case rsa.RSAPublicKey():
            kind = KeyKind.RSA
        case ed25519.Ed25519PublicKey():
            kind = KeyKind.ED25519
        case _:
            raise ValueError(f"public key of {api_key}: neither RSA nor Ed25519; use one of these two")
    return Key(api_key=api_key, account=account, kind=kind, material=pem)


@dataclass(slots=True)
class Keyring:
    """Every key this venue knows."""

    keys: dict[str, Key] = field(default_factory=dict)

    def add(self, key: Key) -> None:
        self.keys[key.api_key] = key

    def find(self, api_key: str | None) -> Key:
        if api_key and api_key in self.keys:
            return self.keys[api_key]
        if not api_key or not KEY_FORMAT.fullmatch(api_key):
            raise VenueError(-2014)
        raise VenueError(-2015)


def check_time(params: Params, now_ms: int, *, refusal: int = -1021) -> None:
    """Accept a timestamp less than a second ahead and not older than the receive window."""
    stamp = stamp_of(params)
    window = params.within("recvWindow", RECV_WINDOW_MS, 0, RECV_WINDOW_MS_MAX)
    if stamp >= now_ms + AHEAD_MS_MAX:
        raise VenueError(-1021, msg="Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - stamp > window:
        raise VenueError(refusal)


def stamp_of(params: Params) -> int:
    value = params.must("timestamp")
    if not value.isascii() or not value.isdigit() or len(value) > STAMP_CHARS_MAX:
        raise VenueError(-1102, "timestamp")
    return int(value)


def check_signature(key: Key, query: str, body: str) -> None:
    """Compare over raw query + raw body, nothing at the join; the signature pair must be last."""
    query, from_query = cut_signature(query)
    body, from_body = cut_signature(body)
    signature = from_query if from_query is not None else from_body
    if signature is None:
        raise VenueError(-1022)
    if not key.proves((query + body).encode("utf-8", "surrogateescape"), signature):
        raise VenueError(-1022)


def cut_signature(raw: str) -> tuple[str, str | None]:
    """Split off a trailing `signature=` pair and decode it; a pair that is not last is not one."""
    head, mark, tail = raw.rpartition("signature=")
    if not mark or "&" in tail or (head and not head.endswith("&")):
        return raw, None
    return head[:-1], unquote_to_bytes(tail).decode("ascii", "replace")


def check_signed_json(key: Key, texts: Mapping[str, str]) -> None:
    """Check a WebSocket API request: all parameters but the signature, sorted by name, joined as k=v."""
    payload = "&".join(f"{name}={texts[name]}" for name in sorted(texts) if name != "signature")
    if not key.proves(payload.encode(), texts.get("signature", "")):
        raise VenueError(-1022)
