import asyncio
import socket

import uvloop

from skalp_bot.paper.sockets import SocketOutlet


def test_a_client_that_was_killed_costs_its_frames_and_not_the_exchange() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=near)
        outlet = SocketOutlet(transport=transport, peer="", opened_ms=0, pinged_ms=0, ponged_ms=0)
        outlet.send(b"first")
        far.close()
        await asyncio.sleep(0.05)
        outlet.send(b"nobody is there, and nobody has said so yet")
        assert outlet.backlog() == 0
        outlet.close(1000, "bye")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())
