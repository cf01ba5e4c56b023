#!/usr/bin/env python3
"""A second implementation of ministreaming: a TCP tunnel with the habits of the reference.

Written from docs/protocol.md and the I2CP specification, with nothing but Python's
standard library; it shares no code with the crate, so that what both understand is the
protocol and not a common mistake. It is a peer for tests, on loopback:

    peer.py server --carrier tcp://127.0.0.1:0 --target 127.0.0.1:8000
    peer.py client --carrier udp://127.0.0.1:9004 --listen 127.0.0.1:0
    peer.py server --carrier i2cp://127.0.0.1:7654 --target 127.0.0.1:8000
    peer.py client --carrier i2cp://127.0.0.1:7654 --to DESTINATION --listen 127.0.0.1:0

When it can be used it writes one line: "ready carrier=… listen=… destination=…".

The habits are on unless --without names them:

    coalesce    a short write waits 100 ms for more before it is sent
    leftover    what remains of a message of 32,768 bytes waits for the next write or close
    wait        while a SYN is not accepted, the whole session waits
    silence     a close is not answered
    forget      a message of an undefined type makes it forget the id, in both tables
    both-ends   the end of one direction ends both; without it, a client that has ended
                still hears the answer, until 5 s pass in silence

--refuse says how it refuses what its target does: ack-close (51, 52: the reference with
a bridge), id (52 with three bytes: no server socket), close (52). --never-accept refuses
every SYN by 52 after 5 s, as the reference does when nobody takes the connection.
"""

import argparse
import asyncio
import base64
import hashlib
import secrets
import socket
import struct
import time
import zlib

DATA_UP, SYN, CLOSE_UP = 0xA0, 0xA1, 0xA2
DATA_DOWN, ACK, CLOSE_DOWN = 0x50, 0x51, 0x52
CHAFF = 0xFF

MAX_DATA = 32_768
BUFFER = 64 * 1024
COALESCING = 0.1
ACCEPT_TIMEOUT = 5.0
CONNECT_TIMEOUT = 60.0
DRAIN = 5.0

HABITS = ("coalesce", "leftover", "wait", "silence", "forget", "both-ends")


# --- conversations -------------------------------------------------------------------


class Stream:
    """One conversation, and the TCP connection at its end."""

    def __init__(self, session, peer, is_opener):
        self.session, self.peer, self.is_opener = session, peer, is_opener
        self.own_id = self.peer_id = None
        self.opening = asyncio.get_running_loop().create_future()
        self.early = []  # data that came before the ACK
        self.written = bytearray()  # by the application, and not yet sent
        self.changed = asyncio.Event()
        self.ended_here = self.ended_there = False
        self.heard = 0.0
        self.reader = self.writer = self.reading = None

    @property
    def table(self):
        return self.session.opened if self.is_opener else self.session.accepted

    def forget(self):
        if self.table.get(self.own_id) is self:
            del self.table[self.own_id]

    async def send(self, kind_up, kind_down, body=b""):
        kind = kind_up if self.is_opener else kind_down
        await self.session.carrier.send(self.peer, bytes([kind]) + self.peer_id + body)

    def join(self, reader, writer):
        """Carries bytes from now on, in both directions."""
        self.reader, self.writer = reader, writer
        for body in self.early:
            self.writer.write(body)
        self.reading = self.session.start(self.read_application())
        self.session.start(self.write_messages())

    async def read_application(self):
        """Takes what the application writes, 64 KiB at most ahead of what is sent."""
        try:
            while piece := await self.reader.read(BUFFER):
                if self.ended_there:
                    continue  # nobody is left to hear it
                self.written += piece
                self.changed.set()
                while len(self.written) >= BUFFER and not self.ended_there:
                    await asyncio.sleep(0.001)
        except OSError:
            pass
        if self.is_opener and not self.session.has("both-ends"):
            loop = asyncio.get_running_loop()
            self.heard = loop.time()
            while not self.ended_there and loop.time() - self.heard < DRAIN:
                await asyncio.sleep(0.02)
        self.ended_here = True
        self.changed.set()

    async def write_messages(self):
        """Sends what was written, and the close behind it."""
        own = bytearray()
        while not self.ended_there:
            if not self.written and not self.ended_here:
                self.changed.clear()
                await self.changed.wait()
                continue
            if self.session.has("coalesce") and len(own) + len(self.written) < MAX_DATA:
                await asyncio.sleep(0 if self.ended_here else COALESCING)
            own += self.written
            self.written.clear()
            was_cut = False
            while len(own) > MAX_DATA and not self.ended_there:
                await self.send(DATA_UP, DATA_DOWN, bytes(own[:MAX_DATA]))
                del own[:MAX_DATA]
                was_cut = True
            keeps = was_cut and self.session.has("leftover") and not self.ended_here
            if own and not keeps and not self.ended_there:
                await self.send(DATA_UP, DATA_DOWN, bytes(own))
                own.clear()
            if self.ended_here and not self.written and not self.ended_there:
                self.forget()
                await self.send(CLOSE_UP, CLOSE_DOWN)
                break
        await self.end_application()

    def hear_data(self, body):
        self.heard = asyncio.get_running_loop().time()
        if self.writer is None:
            self.early.append(body)
        elif body and not self.writer.is_closing():
            self.writer.write(body)

    async def hear_close(self):
        """The peer has closed: what has come is still read, what is unsent is dropped."""
        self.forget()
        self.ended_there = True
        if not self.opening.done():
            self.opening.set_result(False)
        elif not self.session.has("silence"):
            await self.send(CLOSE_UP, CLOSE_DOWN)
        self.changed.set()

    async def end_application(self):
        """Ends the TCP connection such that its other end can read all that was written:
        one that is closed with bytes unread is reset, and what was written is lost."""
        try:
            self.writer.write_eof()
            await asyncio.wait_for(self.reading, 2)
        except (OSError, asyncio.TimeoutError):
            pass
        self.writer.close()


class Session:
    """The ids of one endpoint, and what its messages mean."""

    def __init__(self, options):
        self.options = options
        self.carrier = None
        self.opened, self.accepted = {}, {}
        self.inbox = asyncio.Queue()
        self.tasks = set()

    def has(self, habit):
        return habit not in self.options.without

    def start(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def draw(self, table):
        while (identifier := secrets.token_bytes(3)) in table or not any(identifier):
            pass
        return identifier

    def take(self, peer, message):
        self.inbox.put_nowait((peer, message))

    async def run(self):
        while True:
            peer, message = await self.inbox.get()
            await self.hear(peer, message)

    async def hear(self, peer, message):
        if len(message) < 4 or message[0] == CHAFF:
            return
        kind, identifier, body = message[0], message[1:4], message[4:]
        if kind == SYN:
            if self.options.role == "server":
                accepting = self.accept(peer, identifier, body)
                if self.has("wait"):
                    await accepting
                else:
                    self.start(accepting)
        elif kind in (DATA_UP, CLOSE_UP):
            await self.hear_within(self.accepted.get(identifier), kind, body)
        elif kind in (DATA_DOWN, CLOSE_DOWN, ACK):
            await self.hear_within(self.opened.get(identifier), kind, body)
        elif self.has("forget"):
            self.opened.pop(identifier, None)
            self.accepted.pop(identifier, None)

    async def hear_within(self, stream, kind, body):
        if stream is None:
            return
        if kind == ACK:
            if len(body) == 3 and not stream.opening.done():
                stream.peer_id = body
                stream.opening.set_result(True)
        elif kind in (DATA_UP, DATA_DOWN):
            stream.hear_data(body)
        else:
            await stream.hear_close()

    async def accept(self, peer, client_id, body):
        length = destination_length(body)
        if length is None:
            return  # no destination: dropped without an answer
        peer = self.carrier.peer_of_syn(peer, body[:length])
        refusal = bytes([CLOSE_DOWN]) + client_id
        if self.options.never_accept:
            await asyncio.sleep(ACCEPT_TIMEOUT)
            return await self.carrier.send(peer, refusal)
        stream = Stream(self, peer, is_opener=False)
        stream.own_id, stream.peer_id = self.draw(self.accepted), client_id
        acknowledgement = bytes([ACK]) + client_id + stream.own_id
        try:
            ends = await asyncio.open_connection(*self.options.target)
        except OSError:
            if self.options.refuse == "ack-close":
                await self.carrier.send(peer, acknowledgement)
            body = stream.own_id if self.options.refuse == "id" else b""
            return await self.carrier.send(peer, refusal + body)
        self.accepted[stream.own_id] = stream
        stream.opening.set_result(True)
        await self.carrier.send(peer, acknowledgement)
        stream.join(*ends)

    async def open(self, reader, writer):
        stream = Stream(self, self.carrier.remote, is_opener=True)
        stream.own_id = self.draw(self.opened)
        self.opened[stream.own_id] = stream
        syn = bytes([SYN]) + stream.own_id + self.carrier.destination
        await self.carrier.send(stream.peer, syn)
        try:
            accepted = await asyncio.wait_for(stream.opening, CONNECT_TIMEOUT)
        except asyncio.TimeoutError:
            accepted = False
        if accepted:
            stream.join(reader, writer)
        else:
            stream.forget()
            writer.transport.abort()


def destination_length(body):
    """387 bytes with a null certificate; a certificate of other types tells its length."""
    if len(body) < 387 or not any(body[:384]):
        return None
    length = 387 + struct.unpack(">H", body[385:387])[0]
    return length if body[384] <= 5 and len(body) >= length else None


# --- carriers ------------------------------------------------------------------------


class Tcp:
    """Each message after its length, four bytes."""

    def __init__(self, session):
        self.session, self.remote = session, None
        self.destination = Identity().destination

    def peer_of_syn(self, peer, _destination):
        return peer

    async def open(self, role, host, port):
        if role == "client":
            reader, self.remote = await asyncio.open_connection(host, port)
            self.session.start(self.read(reader, self.remote))
            return f"tcp://{host}:{port}"
        server = await asyncio.start_server(self.read, host, port)
        self.server = server
        return "tcp://%s:%d" % server.sockets[0].getsockname()[:2]

    async def read(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                (length,) = struct.unpack(">I", await reader.readexactly(4))
                self.session.take(writer, await reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    async def send(self, peer, message):
        if not peer.is_closing():
            try:
                peer.write(struct.pack(">I", len(message)) + message)
                await peer.drain()
            except OSError:
                pass


class Udp(asyncio.DatagramProtocol):
    """One message in each datagram. Nothing recovers what is lost, so it is sent slowly."""

    def __init__(self, session):
        self.session, self.remote = session, None
        self.destination = Identity().destination
        self.pace = asyncio.Lock()

    def peer_of_syn(self, peer, _destination):
        return peer

    async def open(self, role, host, port):
        loop = asyncio.get_running_loop()
        ends = {"local_addr": (host, port)}
        if role == "client":
            self.remote, ends = (host, port), {"local_addr": (host, 0)}
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, **ends)
        udp = self.transport.get_extra_info("socket")
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        return "udp://%s:%d" % (self.remote or udp.getsockname())

    def datagram_received(self, message, peer):
        self.session.take(peer, message)

    async def send(self, peer, message):
        async with self.pace:
            self.transport.sendto(message, peer)
            if len(message) > 1_000:
                await asyncio.sleep(0.002)


class I2cp:
    """One message, in gzip, in the payload of a SendMessage to an I2P router."""

    CREATE_SESSION, CREATE_LEASE_SET, SEND_MESSAGE = 1, 4, 5
    GET_DATE, SESSION_STATUS, MESSAGE_STATUS = 32, 20, 22
    MESSAGE_PAYLOAD, REQUEST_LEASES = 31, 37

    def __init__(self, session):
        self.session, self.remote = session, None
        self.identity = Identity()
        self.destination = self.identity.destination
        self.session_id = None
        self.pings, self.delivered = 0, asyncio.Event()
        self.nonces = {}

    def peer_of_syn(self, _peer, destination):
        return destination  # nothing else on this carrier tells who sent it

    async def open(self, role, host, port):
        reader, self.writer = await asyncio.open_connection(host, port)
        self.writer.write(b"\x2a")
        self.put(self.GET_DATE, string("0.8.8"))
        self.put(self.CREATE_SESSION, self.identity.session())
        self.session.start(self.read(reader))
        # Reachable when a message to itself has come.
        while not self.pings:
            await asyncio.sleep(0.5)
            if self.session_id is not None:
                await self.send(self.destination, bytes([CHAFF]))
        if role == "client":
            text = self.session.options.to
            self.remote = base64.b64decode(text, altchars=b"-~")
            while not await self.reaches(self.remote):
                await asyncio.sleep(0.5)
        return f"i2cp://{host}:{port}"

    def put(self, kind, body):
        self.writer.write(struct.pack(">IB", len(body), kind) + body)

    async def read(self, reader):
        while True:
            try:
                length, kind = struct.unpack(">IB", await reader.readexactly(5))
                body = await reader.readexactly(length)
            except (asyncio.IncompleteReadError, OSError):
                return
            if kind == self.SESSION_STATUS and body[2] == 1:
                self.session_id = body[:2]
            elif kind == self.REQUEST_LEASES:
                leases = body[2:]
                self.put(self.CREATE_LEASE_SET, body[:2] + self.identity.lease_set(leases))
            elif kind == self.MESSAGE_STATUS:
                (nonce,) = struct.unpack(">I", body[11:15])
                if body[6] != 1 and nonce in self.nonces:
                    self.nonces.pop(nonce).set_result(body[6])
            elif kind == self.MESSAGE_PAYLOAD:
                message = unwrapped(body[10:])
                if message == bytes([CHAFF]):
                    self.pings += 1
                elif message is not None:
                    self.session.take(None, message)

    async def send(self, destination, message, nonce=0):
        body = wrapped(message)
        self.put(
            self.SEND_MESSAGE,
            self.session_id + destination + struct.pack(">I", len(body)) + body
            + struct.pack(">I", nonce),
        )
        await self.writer.drain()

    async def reaches(self, destination):
        nonce = secrets.randbelow(1 << 31) + 1
        self.nonces[nonce] = asyncio.get_running_loop().create_future()
        await self.send(destination, bytes([CHAFF]), nonce)
        try:
            return await asyncio.wait_for(self.nonces[nonce], 10) == 4
        except asyncio.TimeoutError:
            return False


def string(text):
    return bytes([len(text)]) + text.encode()


def wrapped(message):
    """A gzip member; short messages are stored, and ports and protocol are 0."""
    if len(message) <= 66:
        deflated = struct.pack("<BHH", 1, len(message), len(message) ^ 0xFFFF) + message
    else:
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        deflated = deflater.compress(message) + deflater.flush()
    trailer = struct.pack("<II", zlib.crc32(message), len(message))
    return bytes.fromhex("1f8b0800000000000200") + deflated + trailer


def unwrapped(payload):
    try:
        return zlib.decompress(payload, wbits=31)
    except zlib.error:
        return None


class Identity:
    """A destination with a DSA key and a null certificate, and what it signs."""

    P = int(
        "9c05b2aa960d9b97b8931963c9cc9e8c3026e9b8ed92fad0a69cc886d5bf8015fcadae31a0ad18fab3f01b00"
        "a358de237655c4964afaa2b337e96ad316b9fb1cc564b5aec5b69a9ff6c3e4548707fef8503d91dd8602e867"
        "e6d35d2235c1869ce2479c3b9d5401de04e0727fb33d6511285d4cf29538d9e3b6051f5b22cc1c93",
        16,
    )
    Q = int("a5dfc28fef4ca1e286744cd8eed9d29d684046b7", 16)
    G = int(
        "0c1f4d27d40093b429e962d7223824e0bbc47e7c832a39236fc683af84889581075ff9082ed32353d4374d73"
        "01cda1d23c431f4698599dda02451824ff369752593647cc3ddc197de985e43d136cdcfc6bd5409cd2f45082"
        "1142a5e6f8eb1c3ab5d0484b8129fcf17bce4f7f33321c3cb3dbb14a905e7b2b3e93be4708cbcc82",
        16,
    )
    # The 2048-bit group of RFC 3526, section 3.
    ELGAMAL_P = int(
        "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a0879"
        "8e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b"
        "0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da4836"
        "1c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804"
        "f1746c08ca18217c32905e462e36ce3be39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6"
        "955817183995497cea956ae515d2261898fa051015728e5a8aacaa68ffffffffffffffff",
        16,
    )

    def __init__(self):
        self.key = 1 + secrets.randbelow(self.Q - 1)
        public = pow(self.G, self.key, self.P).to_bytes(128, "big")
        self.destination = secrets.token_bytes(256) + public + bytes(3)
        self.elgamal = secrets.token_bytes(256)

    def sign(self, data):
        k = 1 + secrets.randbelow(self.Q - 1)
        r = pow(self.G, k, self.P) % self.Q
        digest = int.from_bytes(hashlib.sha1(data).digest(), "big")
        s = pow(k, -1, self.Q) * (digest + self.key * r) % self.Q
        return data + r.to_bytes(20, "big") + s.to_bytes(20, "big")

    def session(self):
        """What a CreateSession holds: tunnels without hops, one each way."""
        options = b"".join(
            string(f"{way}.{what}") + b"=" + string(value) + b";"
            for way in ("inbound", "outbound")
            for what, value in (("length", "0"), ("quantity", "1"))
        )
        date = struct.pack(">Q", int(time.time() * 1000))
        return self.sign(self.destination + struct.pack(">H", len(options)) + options + date)

    def lease_set(self, leases):
        """What a CreateLeaseSet holds behind its session: the router's leases, signed."""
        private = int.from_bytes(self.elgamal, "big") % self.ELGAMAL_P
        public = pow(2, private, self.ELGAMAL_P).to_bytes(256, "big")
        signed = self.sign(self.destination + public + secrets.token_bytes(128) + leases)
        return bytes(20) + private.to_bytes(256, "big") + signed


# --- command line --------------------------------------------------------------------


def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("role", choices=("client", "server"))
    parser.add_argument("--carrier", required=True, metavar="URL")
    parser.add_argument("--target", type=address, metavar="HOST:PORT")
    parser.add_argument("--listen", type=address, metavar="HOST:PORT")
    parser.add_argument("--to", metavar="BASE64", help="the server's destination, on i2cp")
    parser.add_argument("--without", action="append", default=[], choices=HABITS)
    parser.add_argument("--refuse", choices=("ack-close", "id", "close"), default="ack-close")
    parser.add_argument("--never-accept", action="store_true")
    return parser.parse_args()


async def main():
    options = parse()
    scheme, _, place = options.carrier.partition("://")
    session = Session(options)
    session.carrier = {"tcp": Tcp, "udp": Udp, "i2cp": I2cp}[scheme](session)
    carrier = await session.carrier.open(options.role, *address(place))
    fields = [f"carrier={carrier}"]
    if options.role == "client":
        server = await asyncio.start_server(session.open, *options.listen, backlog=512)
        fields.append("listen=%s:%d" % server.sockets[0].getsockname()[:2])
    destination = base64.b64encode(session.carrier.destination, altchars=b"-~").decode()
    print("ready", *fields, f"destination={destination}", flush=True)
    await session.run()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
