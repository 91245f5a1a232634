"""A mail server on this machine: takes mails, refuses them, or hangs up, as told."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

HANG_UP = ""


@dataclass
class MailServer:
    """``replies``: what to answer to a verb instead; ``HANG_UP`` ends the connection.

    The verbs are those of RFC 5321, "BANNER" before the first, "TEXT" after the mail;
    for RCPT an address may be given in place of the verb.
    """

    port: int = 0
    replies: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)


class _Closed(Exception):
    """The connection is to end."""


def _handler(server: MailServer) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            named: list[str] = []
            try:
                self.say("BANNER", "220 mail.test ESMTP")
                while line := self.rfile.readline().decode().strip():
                    self.take(line, named)
            except (_Closed, ConnectionError):
                return

        def take(self, line: str, named: list[str]) -> None:
            verb = line.split(" ", maxsplit=1)[0].upper()
            if verb == "RCPT":
                address = line.partition("<")[2].partition(">")[0]
                if self.say(address if address in server.replies else verb, "250 OK"):
                    named.append(address)
            elif verb == "DATA":
                if self.say(verb, "354 Go on"):
                    self.text(named)
            elif verb == "QUIT":
                self.say(verb, "221 Bye")
                raise _Closed
            else:
                self.say(verb, "250 OK")

        def text(self, named: list[str]) -> None:
            lines = []
            while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                lines.append(line.removeprefix(b".") if line[:2] == b".." else line)
            taken = server.replies.get("TEXT", "250 Queued")[:1] in {"2", ""}
            if taken:
                found = message_from_bytes(b"".join(lines), policy=policy.default)
                server.mails.append(found)
                server.recipients.append(list(named))
            self.say("TEXT", "250 Queued")

        def say(self, verb: str, usual: str) -> bool:
            """Answer; whether it was a yes."""
            reply = server.replies.get(verb, usual)
            if reply == HANG_UP:
                raise _Closed
            self.wfile.write(f"{reply}\r\n".encode())
            return reply[0] in "23"

    return Handler


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def mail_server_running() -> Iterator[MailServer]:
    """A mail server that listens on this machine."""
    server = MailServer()
    listening = _Server(("127.0.0.1", 0), _handler(server))
    server.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
