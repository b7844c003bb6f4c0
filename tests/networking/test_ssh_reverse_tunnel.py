"""Facts that the chapter on the reverse tunnel claims.

Live tests use real sockets on loopback and a clock of their own: it stands still while there is
traffic, and jumps to the next timer when there is none.  So they are quick, and times are exact.
"""

import asyncio
import gc
import hashlib
import re
import shlex
import socket
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scispaces.networking.ssh_reverse_tunnel import (
    Agent,
    Backoff,
    Relay,
    auth_tag,
    check_through,
    detection_window,
    fast_forward,
    keepalive_bytes_per_day,
    request,
    simulate_herd,
    ssh_command,
    start_echo_service,
)

TOKEN = "correct-horse"
QUICK = Backoff(0.05, 2, 0.4, "none")


def live(function):
    """Run an asynchronous test on the jumping clock; nothing may be left over."""

    async def watched():
        await function()
        assert len(asyncio.all_tasks()) == 1

    def test():
        fast_forward(watched())
        gc.collect()  # a socket that was not closed becomes a ResourceWarning here, and a failure

    test.__name__ = function.__name__
    return test


class Tunnel:
    """A hidden service, a relay and an agent that has arrived."""

    def __init__(self, transform=bytes.upper, relay=None, **agent):
        self.transform, self.relay_options = transform, relay or {}
        self.agent_options = {"keepalive": 0.05, "backoff": QUICK} | agent

    async def __aenter__(self):
        self.service = await start_echo_service(self.transform)
        self.target = self.service.sockets[0].getsockname()[1]
        self.relay = await Relay(TOKEN, **self.relay_options).start()
        self.port = self.relay.public_port
        self.agent = Agent(TOKEN, self.relay.control_port, self.target, **self.agent_options)
        await self.agent.start()
        await self.agent.wait_connected()
        return self

    async def __aexit__(self, *_):
        await self.agent.close()
        await self.relay.close()
        self.service.close()
        await self.service.wait_closed()
        await asyncio.sleep(0.01)  # the service's last handlers end

    async def ask(self, payload=b"hello", **options):
        return await request(self.port, payload, **options)

    async def restart_relay(self):
        ports = {"control_port": self.relay.control_port, "public_port": self.relay.public_port}
        self.relay = await Relay(TOKEN, **ports, **self.relay_options).start()

    def texts(self):
        return [text for _, text in self.agent.events]


async def refused(port):
    try:
        return await request(port, b"hello") == b""
    except OSError:
        return True


async def ended(reader):
    try:
        return await reader.read() == b""
    except ConnectionResetError:  # it was dropped with our bytes unread
        return True


def now():
    return asyncio.get_running_loop().time()


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


async def dial(relay):
    """Connect to the control port; return the streams and the nonce."""
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.control_port)
    return reader, writer, (await reader.readline()).split()[1].decode()


# The tag


@pytest.mark.verifies("eq-ssh-reverse-tunnel-tag", by="library")
def test_tag_by_hand():
    # RFC 2104 written out: H(K xor opad, H(K xor ipad, text)), blocks of 64 bytes.
    for token, nonce, role in ((TOKEN, "00" * 16, "CTRL"), ("密码八个字以上吧", "ab", "DATA 0f")):
        key = token.encode().ljust(64, b"\0")
        inner = hashlib.sha256(bytes(k ^ 0x36 for k in key) + f"{role} {nonce}".encode()).digest()
        outer = hashlib.sha256(bytes(k ^ 0x5C for k in key) + inner).hexdigest()
        assert auth_tag(token, nonce, role) == outer
    known = "9c0a4710c48061b8e60809827545c67542dbfd7c29830649be608f4478bcb692"
    assert auth_tag(TOKEN, "00" * 16, "CTRL") == known


def test_tag_binds_nonce_and_role():
    tags = {
        auth_tag(TOKEN, nonce, role)
        for nonce in ("00" * 16, "01" * 16)
        for role in ("CTRL", "DATA 00", "DATA 01")
    }
    assert len(tags) == 6


# Keep-alive


def noticed_after(death, interval, count_max):
    """Follow a connection step by step: answered probes, then none; return the time to the drop."""
    last, unanswered, now = 0.0, 0, 0.0
    while True:
        now = last + (unanswered + 1) * interval
        if now < death:  # this probe is answered, which resets the count
            last = now
        else:
            unanswered += 1
            if unanswered > count_max:
                return now - death


@pytest.mark.verifies("eq-ssh-reverse-tunnel-window", by="property")
@pytest.mark.verifies("eq-ssh-reverse-tunnel-mean", by="property")
@pytest.mark.parametrize(("interval", "count_max"), [(15, 3), (5, 1), (20, 6), (1, 0)])
def test_window_against_a_step_by_step_account(interval, count_max):
    deaths = interval * (7 + (np.arange(1000) + 0.5) / 1000)
    times = np.array([noticed_after(d, interval, count_max) for d in deaths])
    low, high = detection_window(interval, count_max)
    # The phases sample the window to a thousandth of its width.
    assert_allclose([times.min(), times.max()], [low, high], rtol=0, atol=interval * 0.6e-3)
    assert_allclose(times.mean(), (low + high) / 2, rtol=0, atol=1e-9 * interval)
    assert_allclose(times.mean(), (count_max + 0.5) * interval, rtol=1e-9)


@pytest.mark.verifies("eq-ssh-reverse-tunnel-stall", by="property")
@pytest.mark.parametrize("stall", [40, 47, 50, 55, 61])
def test_a_stall_longer_than_the_window(stall):
    deaths = 15 * (7 + (np.arange(1000) + 0.5) / 1000)
    dropped = np.mean([noticed_after(d, 15, 3) < stall for d in deaths])
    low, high = detection_window(15, 3)
    assert_allclose(dropped, np.clip((stall - low) / (high - low), 0, 1), rtol=0, atol=1e-3)


@pytest.mark.verifies("eq-ssh-reverse-tunnel-traffic", by="closed form")
@pytest.mark.verifies("eq-ssh-reverse-tunnel-same-window", by="closed form")
def test_price_of_probing():
    # 5760 probes a day; a segment of 5 bytes is 20 + 32 + 5 long, the acknowledgement 20 + 32.
    assert keepalive_bytes_per_day(15) == 5760 * (57 + 57 + 52) == 956_160
    assert_allclose(keepalive_bytes_per_day(15, 83), 478_080, rtol=1e-15)
    for count_max in range(7):  # for one window of 60 s
        interval = 60 / (count_max + 1)
        assert detection_window(interval, count_max)[1] == pytest.approx(60, rel=1e-15)
        price = keepalive_bytes_per_day(interval)
        assert_allclose(price, (count_max + 1) * 1440 * 166, rtol=1e-15)


# Backoff


@pytest.mark.verifies("eq-ssh-reverse-tunnel-ceiling", by="closed form")
def test_ceilings():
    backoff = Backoff(0.5, 2, 30, "none")
    ceilings = [backoff.ceiling(k) for k in range(9)]
    assert ceilings == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert sum(ceilings) == 121.5
    assert backoff.ceiling(10**6) == 30
    assert Backoff(3, 1, 7).ceiling(10**6) == 3
    assert [backoff.delay(k) for k in range(9)] == ceilings


@pytest.mark.verifies("eq-ssh-reverse-tunnel-sum", by="closed form")
@given(st.floats(0.01, 5), st.floats(1.1, 4), st.integers(0, 12))
def test_partial_sums_are_geometric(base, factor, k):
    backoff = Backoff(base, factor, 1e12, "none")
    total = sum(backoff.ceiling(j) for j in range(k + 1))
    assert_allclose(total, base * (factor ** (k + 1) - 1) / (factor - 1), rtol=1e-10)


@pytest.mark.verifies("eq-ssh-reverse-tunnel-staircase", by="closed form")
def test_herd_without_jitter():
    attempts, recovery = simulate_herd(500, 60, Backoff(0.5, 2, 30, "none"))
    # Partial sums .5, 1.5, 3.5, 7.5, 15.5, 31.5, 61.5: the seventh is the first beyond 60.
    assert attempts.shape == (3500,)
    assert_allclose(np.unique(attempts), [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 61.5], rtol=1e-15)
    assert np.all(recovery == 61.5)


@pytest.mark.verifies("eq-ssh-reverse-tunnel-bound", by="property")
@given(st.floats(0.01, 2), st.floats(1, 200), st.floats(1e-3, 20))
def test_the_wait_is_at_most_the_outage_and_a_bit(base, ratio, caps):
    backoff = Backoff(base, 2, base * ratio, "none")
    outage = caps * backoff.cap
    _, recovery = simulate_herd(1, outage, backoff)
    extra = recovery[0] - outage
    assert -1e-9 <= extra <= min(outage + base, backoff.cap) + 1e-9


@pytest.mark.verifies("eq-ssh-reverse-tunnel-jitter", by="property")
@pytest.mark.parametrize(("jitter", "low", "mean"), [("full", 0, 1 / 2), ("equal", 1 / 2, 3 / 4)])
def test_jitter(jitter, low, mean):
    backoff, rng = Backoff(0.5, 2, 30, jitter), np.random.default_rng(5)
    for attempt in (0, 3, 9):
        ceiling = Backoff(0.5, 2, 30, "none").ceiling(attempt)
        delays = np.array([backoff.delay(attempt, rng) for _ in range(2000)]) / ceiling
        assert low <= delays.min() <= low + 0.01
        assert 0.99 <= delays.max() <= 1
        # Four standard errors of the mean of uniform numbers of width 1 - low.
        assert abs(delays.mean() - mean) < 4 * (1 - low) / np.sqrt(12 * 2000)


@pytest.mark.verifies("eq-ssh-reverse-tunnel-residual", by="property")
@pytest.mark.verifies("eq-ssh-reverse-tunnel-rate", by="property")
@pytest.mark.parametrize(
    ("jitter", "residual", "mean"), [("full", 1 / 3, 1 / 2), ("equal", 7 / 18, 3 / 4)]
)
def test_long_outages_meet_the_inspection_paradox(jitter, residual, mean):
    n, cap = 20_000, 3.0
    rng = np.random.default_rng(11)
    attempts, recovery = simulate_herd(n, 40, Backoff(cap, 1, cap, jitter), rng)
    # The spread of one wait is below cap; four standard errors.
    assert abs(np.mean(recovery - 40) - residual * cap) < 4 * cap / np.sqrt(12 * n)
    rate = np.sum((attempts > 30) & (attempts < 40)) / 10
    assert_allclose(rate, n / (mean * cap), rtol=0.01)
    first = np.sum((recovery >= 40) & (recovery < 40.05)) / 0.05
    assert_allclose(first, n / (mean * cap), rtol=0.15)  # some 660 agents: four sigma


def test_numbers_quoted_in_the_chapter():
    assert detection_window(15, 3) == (45, 60)
    for jitter, peak, mean in (("full", 20, 10.0), ("equal", 23, 10.7)):
        _, recovery = simulate_herd(500, 60, Backoff(0.5, 2, 30, jitter), np.random.default_rng(0))
        counts = np.histogram(recovery, np.arange(60, 91, 0.5))[0]
        assert abs(counts.max() - peak) <= 8
        assert abs(recovery.mean() - 60 - mean) <= 1
    _, recovery = simulate_herd(500, 60, Backoff(0.5, 2, 2, "full"), np.random.default_rng(0))
    assert np.histogram(recovery, np.arange(60, 63, 0.5))[0].max() == 191
    assert_allclose(86400 * 166 / 1e5, 143.4, atol=0.05)
    assert keepalive_bytes_per_day(144) < 1e5 < keepalive_bytes_per_day(143)
    assert_allclose(500 / 15 * 0.5, 16.7, atol=0.05)


# The tunnel, healthy


def test_the_clock_jumps():
    async def naps():
        start = now()
        await asyncio.gather(asyncio.sleep(3600), asyncio.sleep(86400))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.Event().wait()
        return now() - start

    assert_allclose(fast_forward(naps()), 86410, rtol=1e-12)
    with pytest.raises(ZeroDivisionError):
        fast_forward(_failing())


async def _failing():
    raise ZeroDivisionError


@live
async def test_bytes_in_are_bytes_out():
    async with Tunnel() as tunnel:
        for payload in (b"", b"hello", bytes(range(256))):
            assert await tunnel.ask(payload) == await request(tunnel.target, payload)
        big = np.random.default_rng(0).bytes(3_000_000)
        assert await tunnel.ask(big, max_bytes=4_000_000) == big.upper()
        words = [b"visitor %d" % i for i in range(30)]
        assert await asyncio.gather(*map(tunnel.ask, words)) == [w.upper() for w in words]
        sent = 5 + 256 + 3_000_000 + sum(map(len, words))
        stats = tunnel.relay.stats
        assert stats["bytes_up"] == stats["bytes_down"] == sent
        assert (stats["clients"], stats["refused"], stats["agents"]) == (34, 0, 1)
        assert tunnel.agent.sessions == 1


@settings(max_examples=10, deadline=None)
@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=5))
def test_any_payloads(payloads):
    @live
    async def exchange():
        async with Tunnel(lambda data: data[::-1]) as tunnel:
            replies = await asyncio.gather(*map(tunnel.ask, payloads))
            assert replies == [payload[::-1] for payload in payloads]

    exchange()


@live
async def test_an_idle_tunnel_stays_up():
    async with Tunnel() as tunnel:
        await asyncio.sleep(5)  # a hundred probes
        assert tunnel.agent.connected
        assert tunnel.texts() == ["dial", "up"]


@live
async def test_end_to_end_check():
    async with Tunnel() as tunnel:
        assert await check_through(tunnel.port)
        assert await check_through(tunnel.port, b"x" * 70_000, b"X" * 70_000)
        assert not await check_through(tunnel.port, b"ping", b"pong")
        assert not await check_through(tunnel.port, b"ping", b"PIN")
        assert not await check_through(tunnel.port, b"ping", b"PINGS")
        with pytest.raises(ValueError, match="the reply must have at most 4 bytes, got more"):
            await tunnel.ask(b"hello", max_bytes=4)


# The tunnel, in trouble


@live
async def test_killed_relay():
    async with Tunnel() as tunnel:
        killed = now()
        await tunnel.relay.close()
        assert await refused(tunnel.port)
        await asyncio.sleep(0.3)
        await tunnel.restart_relay()
        assert await refused(tunnel.port)  # the door is open again, and nobody stands behind it
        await tunnel.agent.wait_connected()
        assert_allclose(now() - killed, 0.35, atol=1e-6)
        assert tunnel.agent.sessions == 2
        assert await tunnel.ask() == b"HELLO"
        waits = ["wait 0.050", "dial", "wait 0.100", "dial", "wait 0.200", "dial"]
        assert tunnel.texts() == ["dial", "up", "down", *waits, "up"]


@pytest.mark.verifies("eq-ssh-reverse-tunnel-staircase", by="property")
def test_outages_form_a_staircase():
    steps = np.cumsum([0.05, 0.1, 0.2, 0.4, 0.4, 0.4])
    measured = {}

    async def kill_for(seconds):
        async with Tunnel(keepalive=5) as tunnel:
            killed = now()
            await tunnel.relay.close()
            await asyncio.sleep(seconds)
            await tunnel.restart_relay()
            await tunnel.agent.wait_connected()
            measured[seconds] = now() - killed

    for tenth in range(1, 16):
        live(lambda tenth=tenth: kill_for(tenth / 10))()
    for seconds, outage in measured.items():
        expected = steps[np.searchsorted(steps, seconds)]
        assert_allclose(outage, expected, atol=1e-6)
        _, recovery = simulate_herd(1, seconds, QUICK)
        assert_allclose(recovery, expected, rtol=1e-12)


@pytest.mark.verifies("eq-ssh-reverse-tunnel-window", by="property")
@live
async def test_half_open_connection_seen_by_the_agent():
    async with Tunnel() as tunnel:
        await asyncio.sleep(0.13)  # an odd phase
        tunnel.relay.blackhole, deaf = True, now()
        await until(lambda: not tunnel.agent.connected)
        low, high = detection_window(0.05, 3)
        assert low - 1e-6 <= now() - deaf <= high + 0.006  # until() looks every 5 ms
        assert tunnel.texts() == ["dial", "up", "timeout", "down", "wait 0.050"]
        tunnel.relay.blackhole = False
        await tunnel.agent.wait_connected()
        assert await tunnel.ask() == b"HELLO"


@live
async def test_half_open_connection_seen_by_the_relay():
    async with Relay(TOKEN, idle_timeout=2.0) as relay:
        reader, writer, nonce = await dial(relay)
        writer.write(f"CTRL {auth_tag(TOKEN, nonce, 'CTRL')}\n".encode())
        assert await reader.readline() == b"OK\n"
        came = now()
        await until(lambda: not relay.agent_connected)
        assert_allclose(now() - came, 2.0, atol=0.006)
        writer.close()


@live
async def test_the_two_probes_disagree():
    async with Tunnel(keepalive=0.2) as tunnel:
        # A deaf relay: from end to end at once, by keep-alive only at the end of the window.
        tunnel.relay.blackhole, deaf = True, now()
        assert not await check_through(tunnel.port, timeout=0.1)
        assert_allclose(now() - deaf, 0.1, atol=1e-6)
        assert tunnel.agent.connected
        await until(lambda: not tunnel.agent.connected)
        assert 0.6 <= now() - deaf <= 0.8 + 0.006
        tunnel.relay.blackhole = False
        await tunnel.agent.wait_connected()
        # A dead target: keep-alive never notices.
        tunnel.service.close()
        await tunnel.service.wait_closed()
        dead = now()
        assert not await check_through(tunnel.port)
        assert now() == dead
        await asyncio.sleep(20)
        assert tunnel.agent.connected
        assert tunnel.agent.sessions == 2


@live
async def test_a_deaf_relay_refuses_in_the_end():
    async with Tunnel(relay={"open_timeout": 0.5}, keepalive=5) as tunnel:
        tunnel.relay.blackhole, start = True, now()
        assert await refused(tunnel.port)
        assert_allclose(now() - start, 0.5, atol=1e-6)
        assert tunnel.relay.stats["refused"] == 1


@live
async def test_wrong_token():
    async with Relay(TOKEN) as relay, Agent("battery-staple", relay.control_port, 9) as agent:
        await until(lambda: agent.auth_failed)
        await asyncio.sleep(60)
        assert [text for _, text in agent.events] == ["dial", "auth_failed"]
        assert not relay.agent_connected
        assert (relay.stats["auth_failures"], relay.stats["agents"]) == (1, 0)
        with pytest.raises(TimeoutError):
            await agent.wait_connected(0.1)
        with pytest.raises(TimeoutError):
            await relay.wait_agent(0.1)


@live
async def test_a_tag_cannot_be_replayed():
    async with Tunnel() as tunnel:
        stolen = auth_tag(TOKEN, "00" * 16, "CTRL")
        for line in (f"CTRL {stolen}", f"DATA {'0' * 16} {stolen}"):
            reader, writer, _ = await dial(tunnel.relay)
            writer.write(f"{line}\n".encode())
            assert await reader.read() == b"NO\n"
            writer.close()
        # A good tag for an id that nobody waits for opens nothing.
        reader, writer, nonce = await dial(tunnel.relay)
        role = f"DATA {'0' * 16}"
        writer.write(f"{role} {auth_tag(TOKEN, nonce, role)}\n".encode())
        assert await ended(reader)
        writer.close()
        assert tunnel.relay.stats["auth_failures"] == 2
        assert await tunnel.ask() == b"HELLO"


GARBAGE = {
    "200 kB without a newline": b"x" * 200_000,
    "a long line": b"CTRL " + b"x" * 300 + b"\n",
    "no command": b"GET / HTTP/1.1\r\n\r\n",
    "an empty line": b"\n",
    "not ASCII": "CTRL 密码\n".encode(),
    "bytes": bytes(range(128, 256)) + b"\n",
    "a bad id": b"DATA ../../etc xx\n",
    "half a line": b"CTRL",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_on_the_control_port(garbage):
    @live
    async def attack():
        async with Tunnel(relay={"open_timeout": 1.0}) as tunnel:
            reader, writer, _ = await dial(tunnel.relay)
            writer.write(garbage)
            assert await ended(reader)
            writer.close()
            assert tunnel.agent.connected
            assert await tunnel.ask() == b"HELLO"
            assert tunnel.relay.stats["auth_failures"] == 0

    attack()


@live
async def test_an_oversized_frame_from_the_agent_ends_its_session():
    async with Relay(TOKEN) as relay:
        reader, writer, nonce = await dial(relay)
        writer.write(f"CTRL {auth_tag(TOKEN, nonce, 'CTRL')}\n".encode())
        assert await reader.readline() == b"OK\n"
        writer.write(b"PING" * 100_000)
        await until(lambda: not relay.agent_connected)
        writer.transport.abort()


@live
async def test_a_relay_that_talks_nonsense_is_dialled_again():
    async def nonsense(reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Agent(TOKEN, port, 9, backoff=QUICK) as agent:
        await until(lambda: len(agent.events) > 4)
        assert [text for _, text in agent.events][:3] == ["dial", "wait 0.050", "dial"]
        assert not agent.connected
    server.close()
    await asyncio.sleep(0.01)


@live
async def test_slow_peer():
    size = 16_000_000
    async with Tunnel(lambda data: data * size, keepalive=5) as tunnel:
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.connect(("127.0.0.1", tunnel.port))
        reader, writer = await asyncio.open_connection(sock=link, limit=1024)
        writer.write(b"z")
        writer.write_eof()
        stats = tunnel.relay.stats
        await until(lambda: stats["bytes_down"] > 100_000)
        await asyncio.sleep(10)
        # The reply waits where it comes from: buffers of the kernel, at most 4 MB, and of ours.
        assert stats["bytes_down"] < size / 2
        small = await request(tunnel.port, b"", max_bytes=0)  # others are served meanwhile
        assert small == b""
        received = 0
        while data := await reader.read(1 << 20):
            assert data.strip(b"z") == b""
            received += len(data)
        assert received == size
        writer.close()


@live
async def test_a_slow_peer_that_leaves_frees_its_place():
    async with Tunnel(lambda data: data * 16_000_000, {"max_clients": 1}) as tunnel:
        _, writer = await asyncio.open_connection("127.0.0.1", tunnel.port, limit=1024)
        writer.write(b"z")
        writer.write_eof()
        await until(lambda: tunnel.relay.stats["bytes_down"] > 100_000)
        assert await refused(tunnel.port)
        writer.transport.abort()
        await asyncio.sleep(0.1)
        assert await tunnel.ask(b"", max_bytes=0) == b""
        assert (tunnel.relay.stats["clients"], tunnel.relay.stats["refused"]) == (2, 1)


@live
async def test_a_peer_that_says_nothing():
    async with Relay(TOKEN, open_timeout=0.7) as relay:
        reader, writer, _ = await dial(relay)
        start = now()
        assert await reader.read() == b""
        assert_allclose(now() - start, 0.7, atol=1e-6)
        writer.close()


@live
async def test_refusals_of_visitors():
    async with Relay(TOKEN) as relay:  # no agent
        assert await refused(relay.public_port)
        assert relay.stats["refused"] == 1
    async with Tunnel(relay={"max_clients": 2}) as tunnel:
        links = [await asyncio.open_connection("127.0.0.1", tunnel.port) for _ in range(2)]
        await until(lambda: tunnel.relay.stats["clients"] == 2)
        assert await refused(tunnel.port)
        for _, writer in links:
            writer.close()
        await asyncio.sleep(0.1)
        assert await tunnel.ask() == b"HELLO"
        # The target is gone: FAIL comes at once.
        tunnel.service.close()
        await tunnel.service.wait_closed()
        start = now()
        assert await refused(tunnel.port)
        assert now() == start
        assert tunnel.agent.connected
        assert tunnel.relay.stats["refused"] == 2


@live
async def test_the_agent_leaves_while_a_visitor_waits():
    async with Relay(TOKEN) as relay:
        reader, writer, nonce = await dial(relay)
        writer.write(f"CTRL {auth_tag(TOKEN, nonce, 'CTRL')}\n".encode())
        await relay.wait_agent()
        visitor = asyncio.ensure_future(refused(relay.public_port))
        await reader.readline()
        assert (await reader.readline()).startswith(b"OPEN ")
        start = now()
        writer.close()
        assert await visitor
        assert now() == start


@live
async def test_the_newest_agent_wins():
    async with (
        Tunnel(backoff=Backoff(5, 1, 5, "none")) as tunnel,
        Agent(TOKEN, tunnel.relay.control_port, tunnel.target) as newer,
    ):
        await newer.wait_connected()
        await until(lambda: not tunnel.agent.connected)
        assert tunnel.relay.agent_connected
        assert tunnel.relay.stats["agents"] == 2
        assert await tunnel.ask() == b"HELLO"


@live
async def test_live_visitors_survive_the_control_connection():
    async with Tunnel(keepalive=0.05) as tunnel:
        reader, writer = await asyncio.open_connection("127.0.0.1", tunnel.port)
        writer.write(b"hel")
        await until(lambda: tunnel.relay.stats["bytes_up"] == 3)
        tunnel.relay.blackhole = True
        await until(lambda: not tunnel.agent.connected)
        writer.write(b"lo")
        writer.write_eof()
        assert await reader.read() == b"HELLO"
        writer.close()


@live
async def test_closing_is_complete():
    async with Tunnel() as tunnel:
        links = [await asyncio.open_connection("127.0.0.1", tunnel.port) for _ in range(3)]
        await until(lambda: tunnel.relay.stats["clients"] == 3)
        await tunnel.relay.close()
        await tunnel.relay.close()  # twice does no harm
        assert not tunnel.relay.agent_connected
        for reader, writer in links:
            assert await ended(reader)
            writer.close()
        await tunnel.restart_relay()  # on the same ports


@live
async def test_a_port_in_use():
    async with Relay(TOKEN) as relay:
        with pytest.raises(OSError, match="address already in use"):
            await Relay(TOKEN, public_port=relay.public_port).start()


# What the post says, and the programs it uses


def test_who_holds_the_door():
    # No cache: the old session's listening socket blocks the port until the session ends.
    old = socket.create_server(("127.0.0.1", 0))
    address = old.getsockname()
    with pytest.raises(OSError, match="already in use"):
        socket.create_server(address)
    old.close()
    socket.create_server(address).close()


def ssh_config(command):
    """What OpenSSH understands, as a dictionary; it connects to nothing."""
    program, *options = shlex.split(command)
    assert program == "ssh"
    run = ["ssh", "-F", "none", "-G", *options]
    lines = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines if " " in line)


def test_openssh_understands_the_command():
    command = ssh_command("tunnel", "vps.example.org", 2222, interval=20, count_max=2)
    config = ssh_config(command)
    assert (config["user"], config["hostname"]) == ("tunnel", "vps.example.org")
    assert config["port"] == "22"
    assert config["remoteforward"] == "[127.0.0.1]:2222 [127.0.0.1]:22"
    assert config["serveraliveinterval"] == "20"
    assert config["serveralivecountmax"] == "2"
    assert config["exitonforwardfailure"] == "yes"
    assert config["sessiontype"] == "none"
    with_key = ssh_config(ssh_command("a", "b", 1, identity="/dev/null"))
    assert with_key["identityfile"] == "/dev/null"
    # Nothing is probed unless one asks for it.
    plain = ssh_config("ssh vps.example.org")
    assert (plain["serveraliveinterval"], plain["serveralivecountmax"]) == ("0", "3")


def test_option_g_is_about_local_listeners():
    options = "-N -R 11111:192.168.199.1:1022 root@192.0.2.1"
    with_g, without = ssh_config(f"ssh -g {options}"), ssh_config(f"ssh {options}")
    assert (with_g["gatewayports"], without["gatewayports"]) == ("yes", "no")
    assert with_g["remoteforward"] == without["remoteforward"]
    assert {k: v for k, v in with_g.items() if without[k] != v} == {"gatewayports": "yes"}


def test_an_empty_page_breaks_the_comparison():
    # The shell's `[` with a missing operand: status 2 and a complaint, instead of "not equal".
    unquoted = subprocess.run(
        ["sh", "-c", "a=; [ $a = 'pass' ]"], capture_output=True, text=True, check=False
    )
    assert unquoted.returncode == 2
    assert unquoted.stderr
    quoted = subprocess.run(["sh", "-c", "a=; [ \"$a\" = 'pass' ]"], check=False)
    assert quoted.returncode == 1


def test_commands():
    assert ssh_command("tunnel", "vps.example.org", 2222) == (
        "ssh -N -T -p 22 -o ExitOnForwardFailure=yes -o ServerAliveInterval=15 "
        "-o ServerAliveCountMax=3 -R 127.0.0.1:2222:127.0.0.1:22 tunnel@vps.example.org"
    )
    post = ssh_command(
        "root",
        "1.1.1.1",
        11111,
        1022,
        local_host="192.168.199.1",
        identity="/etc/dropbear/id_rsa",
        autossh=True,
    )
    assert post == (
        "autossh -M 0 -i /etc/dropbear/id_rsa -N -T -p 22 -o ExitOnForwardFailure=yes "
        "-o ServerAliveInterval=15 -o ServerAliveCountMax=3 "
        "-R 127.0.0.1:11111:192.168.199.1:1022 root@1.1.1.1"
    )
    assert shlex.split(ssh_command("a;b", "c$d", 1))[-1] == "a;b@c$d"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: detection_window(0, 3), "`interval` must be positive and finite, got 0"),
        (lambda: detection_window(15, 1.5), "`count_max` must be an integer of at least 0.*1.5"),
        (lambda: detection_window(15, -1), "`count_max` must be an integer of at least 0, got -1"),
        (lambda: keepalive_bytes_per_day(-1), "`interval` must be positive and finite, got -1"),
        (lambda: keepalive_bytes_per_day(1, 0), "`bytes_per_probe` must be positive"),
        (lambda: Backoff(0), "`base` must be positive and finite, got 0"),
        (lambda: Backoff(factor=0.5), "`factor` must be finite and at least 1, got 0.5"),
        (lambda: Backoff(2, cap=1), "`cap` must be finite and at least `base`, got 1"),
        (lambda: Backoff(cap=float("inf")), "`cap` must be finite"),
        (lambda: Backoff(jitter="some"), "`jitter` must be one of 'full', 'equal', 'none'.*'some'"),
        (lambda: Backoff().ceiling(-1), "`attempt` must be an integer of at least 0, got -1"),
        (lambda: Backoff().delay(0.5), "`attempt` must be an integer of at least 0, got 0.5"),
        (lambda: simulate_herd(0, 1, Backoff()), "`n_agents` must be an integer of at least 1"),
        (lambda: simulate_herd(1, -1, Backoff()), "`outage` must be finite and not negative"),
        (lambda: auth_tag("", "00", "CTRL"), "`token` must not be empty"),
        (lambda: Relay("short"), "`token` must be a string of at least 8 characters"),
        (lambda: Relay(None), "`token` must be a string of at least 8 characters"),
        (lambda: Relay(TOKEN, host="0.0.0.0"), r"`host` must be one of .*got '0.0.0.0'"),
        (lambda: Agent("short", 1, 2), "`token` must be a string of at least 8 characters"),
        (lambda: Agent(TOKEN, 1, 2, keepalive=0), "`keepalive` must be positive"),
        (lambda: Agent(TOKEN, 1, 2, count_max=0), "`count_max` must be an integer of at least 1"),
        (lambda: ssh_command("-oProxyCommand=x", "b", 1), "`user` must be one word that does not"),
        (lambda: ssh_command("a", "b c", 1), "`server` must be one word .* got 'b c'"),
        (lambda: ssh_command("a", "", 1), "`server` must be one word .* got ''"),
        (lambda: ssh_command("a", "b", 1, local_host="-x"), "`local_host` must be one word"),
        (lambda: ssh_command("a", "b", 1, identity="-x"), "`identity` must be one word"),
        (lambda: ssh_command("a", "b", 0), "`remote_port` must be an integer from 1 to 65535"),
        (lambda: ssh_command("a", "b", 1, 70000), "`local_port` must be .* got 70000"),
        (lambda: ssh_command("a", "b", 1, server_port=True), "`server_port` must be .* got True"),
        (lambda: ssh_command("a", "b", 1, interval=0), "`interval` must be positive"),
        (lambda: check_through(1, timeout=0), "`timeout` must be positive and finite, got 0"),
        (lambda: request(1, b"", timeout=-1), "`timeout` must be positive and finite, got -1"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_public_address_needs_a_word():
    Relay(TOKEN, host="0.0.0.0", allow_public=True)  # not started
    assert re.search("allow_public", Relay.__doc__)
