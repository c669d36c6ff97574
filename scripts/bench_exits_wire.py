"""What passes over the loopback, with the kernel's own times: when a quote left and when an order did.

Neither process is touched: a packet socket keeps copies, which are read when the exits of a block are over.
"""

import re
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

ETH_P_IP = 0x0800
BUFFER = 256 * 1024 * 1024  # Of a block; more than it can be is an error, never a gap.
SO_RCVBUFFORCE, SOL_PACKET, PACKET_STATISTICS = 33, 263, 6
SO_TIMESTAMPNS = 35
PACKET_MAX = 1 << 16

QUOTE = re.compile(rb'"e":"bookTicker"[^{}]*"s":"(\w+)"[^{}]*"b":"([\d.]+)"')
ORDER = re.compile(rb"POST /fapi/v1/order\?\S*\bsymbol=(\w+)")


@dataclass(frozen=True, slots=True)
class Sent:
    """What one packet carried, and when it was sent (ns since 1970)."""

    at: int
    from_exchange: bool
    payload: bytes


class Tap:
    """Keeps what passes to and from the exchange's port; ``crosses`` knows a quote by its bid."""

    def __init__(self, port: int, crosses: Callable[[float], bool]) -> None:
        self._port = port
        self._crosses = crosses
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        except PermissionError:
            raise SystemExit(
                "packets of the loopback cannot be seen: run as root, or with CAP_NET_RAW"
            ) from None
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.bind(("lo", ETH_P_IP))
        self._socket.setblocking(False)  # noqa: FBT003  # The standard library's own signature.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def waits(self) -> list[int]:
        """Of each exit so far, oldest first: from its quote to its order (ns)."""
        crossed: dict[bytes, int] = {}
        found = []
        for sent in sorted(self._packets(), key=lambda each: each.at):
            if sent.from_exchange:
                for symbol, bid in QUOTE.findall(sent.payload):
                    if self._crosses(float(bid)):
                        crossed.setdefault(symbol, sent.at)
                    else:
                        crossed.pop(symbol, None)  # Of the book that the order before left behind.
            elif (order := ORDER.match(sent.payload)) and order[1] in crossed:
                found.append(sent.at - crossed.pop(order[1]))
        return found

    def _packets(self) -> Iterator[Sent]:
        while True:
            try:
                packet, ancillary, _, _ = self._socket.recvmsg(PACKET_MAX, 64)
            except BlockingIOError:
                break
            header = (packet[0] & 15) * 4
            if packet[9] != socket.IPPROTO_TCP:
                continue
            source, target = struct.unpack_from("!HH", packet, header)
            payload = packet[header + (packet[header + 12] >> 4) * 4 :]
            if self._port in (source, target) and payload:
                seconds, nanos = struct.unpack_from("qq", ancillary[0][2])
                yield Sent(seconds * 1_000_000_000 + nanos, source == self._port, payload)
        dropped = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        if dropped:
            raise SystemExit(f"{dropped} packets were not kept: the buffer of {BUFFER} bytes is too small")
