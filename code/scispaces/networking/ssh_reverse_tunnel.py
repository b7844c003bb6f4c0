"""A reverse tunnel small enough to read, and the arithmetic of keeping it alive.

Three programs on one machine: a hidden service, an `Agent` beside it that dials out, and a `Relay`
that visitors reach.  All lines of the control protocol are ASCII and at most 256 bytes long::

    relay -> peer    NONCE <32 hex digits>
    peer  -> relay   CTRL <tag>  |  DATA <id> <tag>
    relay -> peer    OK (to a good CTRL)  |  NO (to a bad tag)  |  nothing (to a good DATA)
    agent -> relay   PING  |  FAIL <id>
    relay -> agent   PONG  |  OPEN <id>

After a good ``DATA`` the connection carries the visitor's bytes and nothing else.
"""

import asyncio
import contextlib
import hashlib
import hmac
import math
import re
import secrets
import selectors
import shlex
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

__all__ = [
    "Agent",
    "Backoff",
    "Relay",
    "auth_tag",
    "check_through",
    "detection_window",
    "fast_forward",
    "keepalive_bytes_per_day",
    "request",
    "simulate_herd",
    "ssh_command",
    "start_echo_service",
]

CHUNK = 64 * 1024  # bytes: what one direction of one visitor may hold in memory, per buffer
MAX_LINE = 256
LOOPBACK = ("127.0.0.1", "::1", "localhost")


# Arithmetic


def detection_window(interval, count_max):
    """Shortest and longest time until a silent death is noticed by keep-alive probes.

    Parameters
    ----------
    interval : float
        Seconds of silence before a probe, positive and finite.
    count_max : int
        Unanswered probes that are tolerated, at least 0.

    Returns
    -------
    shortest, longest : float
        In seconds, ``count_max * interval`` and ``(count_max + 1) * interval``.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    _check_positive("interval", interval)
    if not _is_integer(count_max) or count_max < 0:
        raise ValueError(f"`count_max` must be an integer of at least 0, got {count_max}")
    return float(count_max * interval), float((count_max + 1) * interval)


def keepalive_bytes_per_day(interval, bytes_per_probe=166):
    """Bytes a day that probing an idle connection costs.

    Parameters
    ----------
    interval : float
        Seconds between probes, positive and finite.
    bytes_per_probe : float, default 166
        Probe, answer and acknowledgement: two TCP segments of 57 bytes and one of 52.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is not positive and finite.
    """
    _check_positive("interval", interval)
    _check_positive("bytes_per_probe", bytes_per_probe)
    return 86400.0 * bytes_per_probe / interval


@dataclass(frozen=True)
class Backoff:
    """How long to wait before the next attempt.

    Attributes
    ----------
    base : float
        Ceiling of the first wait in seconds, positive.
    factor : float
        Growth of the ceiling from attempt to attempt, at least 1.
    cap : float
        Largest ceiling in seconds, finite and at least `base`.
    jitter : {"full", "equal", "none"}
        Wait a uniform share of the ceiling, half of it and a uniform share of the rest, or all.

    Raises
    ------
    ValueError
        If an attribute is out of range.
    """

    base: float = 0.5
    factor: float = 2.0
    cap: float = 30.0
    jitter: str = "full"

    def __post_init__(self):
        _check_positive("base", self.base)
        if not 1 <= self.factor < math.inf:
            raise ValueError(f"`factor` must be finite and at least 1, got {self.factor}")
        if not self.base <= self.cap < math.inf:
            raise ValueError(f"`cap` must be finite and at least `base`, got {self.cap}")
        if self.jitter not in ("full", "equal", "none"):
            message = "`jitter` must be one of 'full', 'equal', 'none'"
            raise ValueError(f"{message}, got {self.jitter!r}")

    def ceiling(self, attempt):
        """Largest wait before attempt number `attempt`, which counts from 0, in seconds."""
        if not _is_integer(attempt) or attempt < 0:
            raise ValueError(f"`attempt` must be an integer of at least 0, got {attempt}")
        # Logarithms first: 2.0**10**6 overflows.
        if attempt * math.log(self.factor) >= math.log(self.cap / self.base):
            return float(self.cap)
        return float(self.base * self.factor**attempt)

    def delay(self, attempt, rng=None):
        """Wait before attempt number `attempt`, in seconds, with jitter from the generator."""
        return float(self._delays(attempt, rng, None))

    def _delays(self, attempt, rng, size):
        ceiling = self.ceiling(attempt)
        if self.jitter == "none":
            return np.full(() if size is None else size, ceiling)
        low = 0.0 if self.jitter == "full" else ceiling / 2
        return (np.random.default_rng() if rng is None else rng).uniform(low, ceiling, size)


def simulate_herd(n_agents, outage, backoff, rng=None):
    """Attempts of many agents that lose one relay at the same moment.

    Attempt ``k`` of an agent happens at the sum of its delays 0 to ``k``; its first attempt not
    before the end of the outage succeeds and is its last.

    Parameters
    ----------
    n_agents : int
        At least 1.
    outage : float
        Seconds without the relay, finite and not negative.
    backoff : Backoff
    rng : numpy.random.Generator, optional

    Returns
    -------
    attempts : ndarray, shape (m,)
        Times of all attempts in seconds, sorted.
    recovery : ndarray, shape (n_agents,)
        Time of the successful attempt of each agent in seconds.

    Raises
    ------
    ValueError
        If `n_agents` or `outage` is out of range.
    """
    if not _is_integer(n_agents) or n_agents < 1:
        raise ValueError(f"`n_agents` must be an integer of at least 1, got {n_agents}")
    if not 0 <= outage < math.inf:
        raise ValueError(f"`outage` must be finite and not negative, got {outage}")
    rng = np.random.default_rng() if rng is None else rng
    now, recovery, attempts = np.zeros(n_agents), np.full(n_agents, np.nan), []
    number = 0
    while (waiting := np.isnan(recovery)).any():
        now[waiting] += backoff._delays(number, rng, waiting.sum())
        attempts.append(now[waiting])
        recovery[waiting & (now >= outage)] = now[waiting & (now >= outage)]
        number += 1
    return np.sort(np.concatenate(attempts)), recovery


# The protocol


def auth_tag(token, nonce, role):
    """Proof that one knows the token, good for one connection and one role.

    Parameters
    ----------
    token : str
        The shared secret, not empty.
    nonce : str
        What the relay has sent.
    role : str
        ``"CTRL"`` or ``"DATA <id>"``.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ValueError
        If `token` is empty.

    References
    ----------
    .. [1] H. Krawczyk, M. Bellare and R. Canetti, "HMAC: Keyed-Hashing for Message
       Authentication", RFC 2104 (1997).
    """
    if not token:
        raise ValueError("`token` must not be empty")
    return hmac.new(token.encode(), f"{role} {nonce}".encode(), hashlib.sha256).hexdigest()


class _ProtocolError(Exception):
    """A peer that does not keep to the protocol."""


async def _read_line(reader):
    """Return the words of the next line."""
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        raise ConnectionResetError("the peer hung up") from None
    except asyncio.LimitOverrunError:
        raise _ProtocolError("a line without end") from None
    if len(line) > MAX_LINE or not line.isascii():
        raise _ProtocolError("a line too long, or not ASCII")
    return line.decode().rstrip("\r\n").split(" ")


async def _send(writer, line):
    writer.write(f"{line}\n".encode())
    await writer.drain()


async def _pump(reader, writer, count):
    """Copy until the end of the stream, no faster than the slower side, and pass the end on."""
    writer.transport.set_write_buffer_limits(high=CHUNK)
    while data := await reader.read(CHUNK):
        writer.write(data)
        count(len(data))
        await writer.drain()
    writer.write_eof()


async def _splice(inside, outside, up=lambda size: None, down=lambda size: None):
    """Join two connections until both directions have ended, or one connection has broken."""
    writers = (inside[1], outside[1])
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(outside[0], inside[1], up))
            group.create_task(_pump(inside[0], outside[1], down))
        for writer in writers:
            writer.close()
            await writer.wait_closed()  # what a slow reader has not fetched yet
    except* OSError:
        pass
    finally:
        for writer in writers:
            writer.transport.abort()


class _Tasks:
    """The tasks that somebody must cancel."""

    def __init__(self):
        self._tasks = set()

    def add(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def cancel(self):
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Relay:
    """The program with a public address: agents dial its control port, visitors its public port.

    Parameters
    ----------
    token : str
        Secret shared with the agent, at least 8 characters.
    host : str, default "127.0.0.1"
        Address to listen on.
    control_port, public_port : int, default 0
        0 takes any free port.
    idle_timeout : float, default 15.0
        Seconds of silence after which an agent is taken for dead; choose more than
        ``(count_max + 1) * keepalive`` of the agent.
    open_timeout : float, default 5.0
        Seconds that a handshake, or the agent's answer to a visitor, may take.
    max_clients : int, default 64
        Visitors at the same time.
    allow_public : bool, default False
        Whether `host` may be an address that others can reach.

    Attributes
    ----------
    blackhole : bool
        True: nothing is sent on control connections, as if their cable were pulled.
    stats : dict of str to int
        ``clients``, ``refused``, ``agents``, ``auth_failures``, ``bytes_up``, ``bytes_down``.

    Raises
    ------
    ValueError
        If `token` is too short, or `host` is public without `allow_public`.
    """

    def __init__(
        self,
        token,
        *,
        host="127.0.0.1",
        control_port=0,
        public_port=0,
        idle_timeout=15.0,
        open_timeout=5.0,
        max_clients=64,
        allow_public=False,
    ):
        _check_token(token)
        if host not in LOOPBACK and not allow_public:
            message = f"`host` must be one of {LOOPBACK}, got {host!r}"
            raise ValueError(f"{message}; `allow_public=True` lets the whole network in")
        self._token, self._host, self._max_clients = token, host, max_clients
        self.control_port, self.public_port = control_port, public_port
        self._idle_timeout, self._open_timeout = idle_timeout, open_timeout
        self.blackhole = False
        names = ("clients", "refused", "agents", "auth_failures", "bytes_up", "bytes_down")
        self.stats = dict.fromkeys(names, 0)
        self._agent, self._agent_came = None, asyncio.Event()
        self._waiting = {}  # what visitors wait for: a data connection, by its id
        self._visitors = 0
        self._tasks, self._servers = _Tasks(), []

    @property
    def agent_connected(self):
        """Whether an authenticated agent is there, as far as the relay knows."""
        return self._agent is not None

    async def start(self):
        """Listen on both ports, and return the relay."""
        try:
            for port, serve in ((self.control_port, self._peer), (self.public_port, self._visitor)):
                accept = self._accept(serve)
                server = await asyncio.start_server(accept, self._host, port, limit=CHUNK)
                self._servers.append(server)
        except OSError:
            await self.close()
            raise
        ports = [server.sockets[0].getsockname()[1] for server in self._servers]
        self.control_port, self.public_port = ports
        return self

    async def close(self):
        """Stop listening and drop everybody; the ports are free again on return."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        # Handlers first: since Python 3.12 `wait_closed` waits for their connections.
        await self._tasks.cancel()
        for server in servers:
            await server.wait_closed()

    async def __aenter__(self):
        return await self.start()

    async def __aexit__(self, *_):
        await self.close()

    async def wait_agent(self, timeout=5.0):
        """Return when an agent is there; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            await self._agent_came.wait()

    def _accept(self, serve):
        async def handle(reader, writer):
            handed_on = False
            try:
                with contextlib.suppress(OSError, _ProtocolError):
                    handed_on = await serve(reader, writer)
            finally:
                if not handed_on:
                    writer.transport.abort()

        def accept(reader, writer):
            if self._servers:
                self._tasks.add(handle(reader, writer))
            else:
                writer.transport.abort()

        return accept

    async def _peer(self, reader, writer):
        """Serve one connection to the control port; return whether it has been handed on."""
        if self.blackhole:
            await asyncio.sleep(self._open_timeout)
            return False
        nonce = secrets.token_hex(16)
        await _send(writer, f"NONCE {nonce}")
        async with asyncio.timeout(self._open_timeout):
            *role, tag = await _read_line(reader)
        if not re.fullmatch(r"CTRL|DATA [0-9a-f]{16}", " ".join(role)):
            return False
        if not hmac.compare_digest(tag, auth_tag(self._token, nonce, " ".join(role))):
            self.stats["auth_failures"] += 1
            await _send(writer, "NO")
            writer.close()  # not aborted: the peer shall read the answer
            return True
        if role == ["CTRL"]:
            await self._serve_agent(reader, writer)
            return False
        return self._answer(role[1], (reader, writer))

    async def _serve_agent(self, reader, writer):
        if self._agent:  # the newest wins: the old one may be dead without knowing it
            self._drop_agent()
        self._agent = writer
        self._agent_came.set()
        self.stats["agents"] += 1
        try:
            await _send(writer, "OK")
            while True:
                async with asyncio.timeout(self._idle_timeout):
                    words = await _read_line(reader)
                match words:
                    case ["PING"]:
                        if not self.blackhole:
                            await _send(writer, "PONG")
                    case ["FAIL", ident]:
                        self._answer(ident, None)
                    case _:
                        raise _ProtocolError(" ".join(words))
        finally:
            if self._agent is writer:
                self._drop_agent()

    def _drop_agent(self):
        self._agent.transport.abort()
        self._agent = None
        self._agent_came.clear()
        for ident in list(self._waiting):
            self._answer(ident, None)

    def _answer(self, ident, connection):
        """Give a visitor what it waits for; return whether it still waits."""
        future = self._waiting.pop(ident, None)
        if future is None or future.done():
            return False
        future.set_result(connection)
        return True

    async def _visitor(self, reader, writer):
        """Serve one connection to the public port."""
        inside = None
        if self._agent and self._visitors < self._max_clients:
            self._visitors += 1
            try:
                if inside := await self._open():
                    self.stats["clients"] += 1
                    await _splice(inside, (reader, writer), self._count("up"), self._count("down"))
            finally:
                self._visitors -= 1
        if not inside:
            self.stats["refused"] += 1
        return False

    async def _open(self):
        """Ask the agent for a data connection; return its streams, or None."""
        ident = secrets.token_hex(8)
        future = self._waiting[ident] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._open_timeout):
                if not self.blackhole:
                    await _send(self._agent, f"OPEN {ident}")
                return await future
        except OSError:  # the time is up, or the agent has gone
            return None
        finally:
            self._waiting.pop(ident, None)

    def _count(self, direction):
        def count(size):
            self.stats[f"bytes_{direction}"] += size

        return count


class Agent:
    """The program behind the wall: it dials the relay, and the target for each visitor.

    Parameters
    ----------
    token : str
        Secret shared with the relay, at least 8 characters.
    relay_port, target_port : int
    relay_host, target_host : str, default "127.0.0.1"
    keepalive : float, default 5.0
        Seconds of silence before a probe, positive.
    count_max : int, default 3
        Unanswered probes that are tolerated, at least 1.
    backoff : Backoff, optional
    rng : numpy.random.Generator, optional
        For the jitter.
    connect_timeout : float, default 5.0
        Seconds that a connection and its handshake may take.

    Attributes
    ----------
    connected : bool
        Whether the agent believes that the relay is there.
    sessions : int
        Handshakes so far.
    auth_failed : bool
        Whether the relay has refused the token; the agent has then stopped.
    events : deque of (float, str)
        Time of the event loop, and ``dial``, ``up``, ``timeout``, ``down``, ``wait 0.050``,
        ``auth_failed``; the last 1000.

    Raises
    ------
    ValueError
        If `token`, `keepalive` or `count_max` is out of range.
    """

    def __init__(
        self,
        token,
        relay_port,
        target_port,
        *,
        relay_host="127.0.0.1",
        target_host="127.0.0.1",
        keepalive=5.0,
        count_max=3,
        backoff=None,
        rng=None,
        connect_timeout=5.0,
    ):
        _check_token(token)
        _check_positive("keepalive", keepalive)
        if not _is_integer(count_max) or count_max < 1:
            raise ValueError(f"`count_max` must be an integer of at least 1, got {count_max}")
        self._token, self._backoff, self._rng = token, backoff or Backoff(), rng
        self._relay, self._target = (relay_host, relay_port), (target_host, target_port)
        self._keepalive, self._count_max = keepalive, count_max
        self._connect_timeout = connect_timeout
        self.sessions, self.auth_failed, self.events = 0, False, deque(maxlen=1000)
        self._up, self._tasks = asyncio.Event(), _Tasks()

    @property
    def connected(self):
        """Whether the control connection is up, as far as the agent knows."""
        return self._up.is_set()

    async def start(self):
        """Begin to dial in the background, and return the agent."""
        self._tasks.add(self._run())
        return self

    async def close(self):
        """Drop every connection and stop."""
        await self._tasks.cancel()

    async def __aenter__(self):
        return await self.start()

    async def __aexit__(self, *_):
        await self.close()

    async def wait_connected(self, timeout=5.0):
        """Return when the relay is reached; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            await self._up.wait()

    def _log(self, text):
        self.events.append((asyncio.get_running_loop().time(), text))

    async def _run(self):
        attempt = 0
        while not self.auth_failed:
            self._log("dial")
            with contextlib.suppress(OSError, _ProtocolError):
                async with self._authenticated("CTRL") as (reader, writer):
                    async with asyncio.timeout(self._connect_timeout):
                        answer = await _read_line(reader)
                    if answer == ["OK"]:
                        attempt = 0  # only a handshake counts as success, not a connection
                        await self._watch(reader, writer)
                    self.auth_failed = answer == ["NO"]
            if self.auth_failed:
                self._log("auth_failed")
                return
            delay = self._backoff.delay(attempt, self._rng)
            self._log(f"wait {delay:.3f}")
            await asyncio.sleep(delay)
            attempt += 1

    @contextlib.asynccontextmanager
    async def _authenticated(self, role):
        """Dial the relay and prove to know the token; the connection is closed at the end."""
        async with asyncio.timeout(self._connect_timeout):
            reader, writer = await asyncio.open_connection(*self._relay, limit=CHUNK)
        try:
            async with asyncio.timeout(self._connect_timeout):
                match await _read_line(reader):
                    case ["NONCE", nonce]:
                        await _send(writer, f"{role} {auth_tag(self._token, nonce, role)}")
                    case words:
                        raise _ProtocolError(" ".join(words))
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _watch(self, reader, writer):
        """Serve the control connection while it lives; silence is probed, then ends it."""
        self.sessions += 1
        self._up.set()
        self._log("up")
        try:
            unanswered = 0
            while True:
                try:
                    async with asyncio.timeout(self._keepalive):
                        words = await _read_line(reader)
                except TimeoutError:
                    unanswered += 1
                    if unanswered > self._count_max:
                        self._log("timeout")
                        raise
                    await _send(writer, "PING")
                    continue
                unanswered = 0
                match words:
                    case ["OPEN", ident]:
                        self._tasks.add(self._serve(ident, writer))
                    case ["PONG"]:
                        pass
                    case _:
                        raise _ProtocolError(" ".join(words))
        finally:
            self._up.clear()
            self._log("down")

    async def _serve(self, ident, control):
        """Dial the target and the relay for one visitor, and join the two."""
        with contextlib.suppress(OSError, _ProtocolError):
            try:
                async with asyncio.timeout(self._connect_timeout):
                    target = await asyncio.open_connection(*self._target, limit=CHUNK)
            except OSError:
                await _send(control, f"FAIL {ident}")
                return
            try:
                async with self._authenticated(f"DATA {ident}") as connection:
                    await _splice(target, connection)
            finally:
                target[1].transport.abort()


# A service to hide, and visitors


def start_echo_service(transform=bytes.upper, host="127.0.0.1", port=0):
    """Start a service that reads to the end, answers with what it read, changed, and hangs up.

    Parameters
    ----------
    transform : callable
        From bytes to bytes.
    host : str, default "127.0.0.1"
    port : int, default 0
        0 takes any free port.

    Returns
    -------
    coroutine of asyncio.Server
    """

    async def serve(reader, writer):
        with contextlib.suppress(OSError):
            writer.write(transform(await reader.read()))
            await writer.drain()
        writer.close()

    return asyncio.start_server(serve, host, port, limit=CHUNK)


def request(port, payload, *, host="127.0.0.1", timeout=5.0, max_bytes=1 << 20):
    """Send bytes, end the sending half, and return all that comes back.

    Parameters
    ----------
    port : int
    payload : bytes
    host : str, default "127.0.0.1"
    timeout : float, default 5.0
        Seconds for all of it; TimeoutError afterwards.
    max_bytes : int, default 2**20
        Largest reply.

    Returns
    -------
    coroutine of bytes
        Empty, or an OSError, where the visitor is refused.

    Raises
    ------
    ValueError
        If `timeout` is not positive and finite; awaited, if the reply is longer than `max_bytes`.
    """
    _check_positive("timeout", timeout)
    return _request(port, payload, host, timeout, max_bytes)


async def _request(port, payload, host, timeout, max_bytes):
    async def send(writer):
        writer.write(payload)
        await writer.drain()
        writer.write_eof()

    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(host, port, limit=CHUNK)
        sending = asyncio.ensure_future(send(writer))
        try:
            reply = bytearray()
            # Reading while sending: two full buffers would wait for each other for ever.
            while data := await reader.read(CHUNK):
                reply += data
                if len(reply) > max_bytes:
                    raise ValueError(f"the reply must have at most {max_bytes} bytes, got more")
            return bytes(reply)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.transport.abort()


def check_through(port, payload=b"ping", expected=b"PING", *, host="127.0.0.1", timeout=1.0):
    """Whether the service behind the tunnel answers as it should: a probe from end to end.

    Parameters
    ----------
    port : int
        The public port.
    payload, expected : bytes
        What is sent, and the complete reply that counts as healthy.
    host : str, default "127.0.0.1"
    timeout : float, default 1.0
        Seconds, positive.

    Returns
    -------
    coroutine of bool
        False for a refusal, silence, another or a longer reply.

    Raises
    ------
    ValueError
        If `timeout` is not positive and finite.
    """
    _check_positive("timeout", timeout)
    return _check_through(port, payload, expected, host, timeout)


async def _check_through(port, payload, expected, host, timeout):
    try:
        return await _request(port, payload, host, timeout, len(expected)) == expected
    except (OSError, ValueError):
        return False


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for traffic; where there is none, the clock jumps to the next timer."""

    clock = 0.0

    def select(self, timeout=None):
        # Loopback delivers within microseconds: after 10 ms of silence nothing is under way.
        ready = super().select(timeout if timeout is None else min(timeout, 0.01))
        if not ready and timeout:
            self.clock += timeout
        return ready


def fast_forward(main):
    """Run a coroutine on real sockets, but on a clock that skips all waiting.

    The clock stands still while there is traffic and jumps to the next timer when there is none,
    so that times are exact and the same in every run, on a busy machine too.  Only for programs
    of which all sides run in this coroutine.

    Parameters
    ----------
    main : coroutine

    Returns
    -------
    object
        What the coroutine returns.
    """

    def loop():
        selector = _JumpingSelector()
        loop = asyncio.SelectorEventLoop(selector)
        loop.time = lambda: selector.clock
        return loop

    def run():
        with asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(main)

    # In a thread of its own: a notebook's loop is running in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def ssh_command(
    user,
    server,
    remote_port,
    local_port=22,
    *,
    server_port=22,
    interval=15,
    count_max=3,
    autossh=False,
    local_host="127.0.0.1",
    identity=None,
):
    """Command line of today's OpenSSH for a reverse tunnel; the door opens on loopback only.

    Parameters
    ----------
    user, server : str
        Account and host name of the relay.
    remote_port : int
        Port that the relay opens.
    local_port : int, default 22
        Port of the service inside.
    server_port : int, default 22
        Port of the relay's SSH server.
    interval : int, default 15
        Seconds of silence before a probe.
    count_max : int, default 3
        Unanswered probes that are tolerated.
    autossh : bool, default False
        Whether autossh restarts the client.
    local_host : str, default "127.0.0.1"
        Host of the service inside.
    identity : str, optional
        File of the private key.

    Returns
    -------
    str
        Quoted for a POSIX shell.

    Raises
    ------
    ValueError
        If a port is out of range, or a word is empty, holds white space or could pass for an
        option.
    """
    words = {"user": user, "server": server, "local_host": local_host}
    if identity is not None:
        words["identity"] = identity
    for name, word in words.items():
        if not re.fullmatch(r"[^\s-]\S*", word):
            message = f"`{name}` must be one word that does not start with a hyphen"
            raise ValueError(f"{message}, got {word!r}")
    ports = {"remote_port": remote_port, "local_port": local_port, "server_port": server_port}
    for name, port in ports.items():
        if not _is_integer(port) or not 1 <= port <= 65535:
            raise ValueError(f"`{name}` must be an integer from 1 to 65535, got {port}")
    detection_window(interval, count_max)
    return shlex.join(
        [
            *(["autossh", "-M", "0"] if autossh else ["ssh"]),
            *(["-i", identity] if identity is not None else []),
            *["-N", "-T", "-p", str(server_port)],
            *["-o", "ExitOnForwardFailure=yes"],
            *["-o", f"ServerAliveInterval={interval}"],
            *["-o", f"ServerAliveCountMax={count_max}"],
            *["-R", f"127.0.0.1:{remote_port}:{local_host}:{local_port}"],
            f"{user}@{server}",
        ]
    )


def _is_integer(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _check_positive(name, value):
    if not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be positive and finite, got {value}")


def _check_token(token):
    if not isinstance(token, str) or len(token) < 8:
        raise ValueError("`token` must be a string of at least 8 characters")
