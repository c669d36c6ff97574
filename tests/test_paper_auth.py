"""Keys, clocks and signatures of the paper exchange."""

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from skalp_bot.paper.auth import (
    Key,
    KeyKind,
    Keyring,
    asymmetric,
    check_signature,
    check_signed_json,
    check_time,
)
from skalp_bot.paper.errors import VenueError
from skalp_bot.paper.params import Params, from_json, parse

SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
KEY = Key(api_key="k" * 64, account="k", kind=KeyKind.HMAC, material=SECRET)
ORDER = (
    "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
    "&recvWindow=5000&timestamp=1591702613943"
)
SIGNED = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"


def refused(code: int) -> "pytest.RaisesExc[VenueError]":
    return pytest.raises(VenueError, check=lambda error: error.code == code)


def test_the_venues_own_example_signature_is_accepted_in_query_body_and_either_case() -> None:
    check_signature(KEY, f"{ORDER}&signature={SIGNED}", "")
    check_signature(KEY, "", f"{ORDER}&signature={SIGNED}")
    check_signature(KEY, f"{ORDER}&signature={SIGNED.upper()}", "")


def test_query_and_body_are_signed_without_an_ampersand_between_them() -> None:
    query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC"
    body = "quantity=1&price=9000&recvWindow=5000&timestamp=1591702613943"
    signature = "30baaf0fab549bbeda7f5ef201898b34122da25fd23c646cac2c529aebe670a4"
    check_signature(KEY, query, f"{body}&signature={signature}")
    check_signature(KEY, f"{query}&signature={signature}", body)
    joined = hmac.new(SECRET.encode(), f"{query}&{body}".encode(), hashlib.sha256).hexdigest()
    with refused(-1022):
        check_signature(KEY, query, f"{body}&signature={joined}")


@pytest.mark.parametrize(
    "query",
    [
        f"{ORDER}&signature={SIGNED[:-1]}0",
        f"signature={SIGNED}&{ORDER}",
        f"{ORDER}&quantity=2&signature={SIGNED}",
        f"{ORDER}&xsignature={SIGNED}",
        ORDER,
        f"{ORDER}&signature=",
        f"{ORDER}&signature=%ff%fe",
    ],
)
def test_any_other_signature_is_refused(query: str) -> None:
    with refused(-1022):
        check_signature(KEY, query, "")


def test_percent_escapes_are_signed_as_they_were_sent() -> None:
    for query in (
        "origClientOrderIdList=%5B%22a%22%5D&timestamp=1",
        'origClientOrderIdList=["a"]&timestamp=1',
    ):
        signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
        check_signature(KEY, f"{query}&signature={signature}", "")


def test_rsa_and_ed25519_keys_prove_themselves_over_the_same_bytes() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    curve = ed25519.Ed25519PrivateKey.generate()
    made: list[tuple[rsa.RSAPublicKey | ed25519.Ed25519PublicKey, bytes, KeyKind]] = [
        (private.public_key(), private.sign(ORDER.encode(), padding.PKCS1v15(), SHA256()), KeyKind.RSA),
        (curve.public_key(), curve.sign(ORDER.encode()), KeyKind.ED25519),
    ]
    for public, raw, kind in made:
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        key = asymmetric("a" * 64, "k", pem)
        text = base64.b64encode(raw).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
        assert key.kind is kind
        check_signature(key, f"{ORDER}&signature={text}", "")
        with refused(-1022):
            check_signature(key, f"{ORDER}&quantity=2&signature={text}", "")
        with refused(-1022):
            check_signature(key, f"{ORDER}&signature=nonsense", "")


def test_a_key_is_known_or_well_formed_or_refused_as_malformed() -> None:
    ring = Keyring()
    ring.add(KEY)
    assert ring.find(KEY.api_key) is KEY
    for missing in (None, "", "short", "?" * 64, "k" * 63):
        with refused(-2014):
            ring.find(missing)
    with refused(-2015):
        ring.find("K" * 64)


def stamped(timestamp: int, window: int | None = None) -> Params:
    return parse(f"timestamp={timestamp}" + ("" if window is None else f"&recvWindow={window}"), "")


def test_the_receive_window_is_closed_at_its_end_and_open_below_one_second_ahead() -> None:
    now = 1_700_000_000_000
    check_time(stamped(now - 5000), now)
    check_time(stamped(now + 999), now)
    check_time(stamped(now - 60000, 60000), now)
    with refused(-1021) as old:
        check_time(stamped(now - 5001), now)
    assert old.value.msg == "Timestamp for this request is outside of the recvWindow."
    with refused(-1021) as early:
        check_time(stamped(now + 1000), now)
    assert early.value.msg == "Timestamp for this request was 1000ms ahead of the server's time."
    with refused(-1021):
        check_time(stamped(now - 11, 10), now)
    with refused(-1130):
        check_time(stamped(now, 60001), now)
    with refused(-1102) as none:
        check_time(parse("", ""), now)
    assert none.value.msg == "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed."
    with refused(-1102):
        check_time(parse("timestamp=soon", ""), now)


def test_websocket_requests_are_signed_over_their_sorted_parameters() -> None:
    values: dict[str, object] = {"symbol": "BTCUSDT", "apiKey": "k", "quantity": 1, "reduceOnly": True}
    payload = "apiKey=k&quantity=1&reduceOnly=true&symbol=BTCUSDT"
    signature = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    texts = {name: from_json({name: value}).must(name) for name, value in values.items()}
    check_signed_json(KEY, {**texts, "signature": signature})
    for wrong in ({**texts, "signature": SIGNED}, texts, {**texts, "quantity": "2", "signature": signature}):
        with refused(-1022):
            check_signed_json(KEY, wrong)
