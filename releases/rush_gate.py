#!/usr/bin/env python3
"""rush-gate: tells rush_monitor of a deploy and waits for its verdict.

One file, standard library only, Python 3.8 or newer: install it with rush_monitor, or
copy it, or fetch it from /rush-gate.py of your installation.

Exit status: 0 healthy, 1 degraded, 2 wrong use or no answer, 3 inconclusive, 4 still
pending when the time was over.

RUSH_URL is the address of rush_monitor, RUSH_TOKEN a token with the scope
release:write (release:read is enough with --deploy). RUSH_PROJECT, RUSH_RELEASE and
RUSH_ENVIRONMENT stand for the options of their names.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone
from typing import Any, Callable, Mapping, Sequence

HEALTHY, DEGRADED, FAILED, INCONCLUSIVE, PENDING = range(5)

# Proxies cut answers that take a minute; one that cuts earlier makes polls shorter.
LONGEST_POLL, SHORTEST_POLL = 55, 5
# A server that answers pending at once, such as one that restarts, is not pressed.
LEAST_PAUSE = 5.0
ANSWER_SECONDS = 30.0
# Without any answer for so long the gate gives up.
UNREACHABLE_SECONDS = 300.0
FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 30.0
WORTH_RETRYING = frozenset({408, 425, 429, 500, 502, 503, 504})

Json = Mapping[str, Any]


class GateError(Exception):
    """What a person must put right; the text says how."""


class NoAnswer(Exception):
    """An answer may come when it is asked again, after ``pause`` seconds or more."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would turn the post into a get, and take the token elsewhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Server:
    """rush_monitor's API."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": "rush-gate",
        }
        self._opener = urllib.request.build_opener(NoRedirects)

    def call(
        self, path: str, body: Json | None = None, seconds: float = ANSWER_SECONDS
    ) -> Json:
        """POST a body, or GET without one; raises GateError or NoAnswer."""
        url = f"{self._url}/api/v1/{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, self._headers)
        try:
            with self._opener.open(request, timeout=seconds) as answer:
                return _document(url, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(url, error) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise GateError(f"{url}: {reason.verify_message}.") from error
            raise NoAnswer(f"{url}: {reason}") from error


def _document(url: str, content: bytes) -> Json:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise GateError(
            f"{url} answered with something else than JSON: is RUSH_URL the address "
            "of rush_monitor, and does no log-in stand in front of its /api/?"
        )
    return document


def _refused(url: str, error: urllib.error.HTTPError) -> Exception:
    """What an answer other than 2xx means."""
    try:
        content = error.read(100_000)
    except (OSError, http.client.HTTPException):
        content = b""
    said = f"{url} answered {error.code} {error.reason}: {_detail(content)}"
    if error.code in WORTH_RETRYING:
        wanted = error.headers.get("Retry-After", "")
        pause = float(wanted) if wanted.isdigit() else 0.0
        return NoAnswer(said, min(pause, LONGEST_BACKOFF))
    if error.code in (401, 403):
        said += " RUSH_TOKEN must hold a token with the scope release:write."
    if 300 <= error.code < 400:
        said = f"{url} redirects to {error.headers.get('Location')}: correct RUSH_URL."
    return GateError(said)


def _detail(content: bytes) -> str:
    """The reason in a problem document, else the beginning of the answer."""
    try:
        problem = json.loads(content)
        parts = [str(problem["detail"])]
        errors = problem.get("errors") or {}
        parts += [f"{name}: {_joined(told)}" for name, told in errors.items()]
    except (ValueError, TypeError, KeyError, AttributeError):
        parts = [content.decode("utf-8", "replace")[:200]]
    return plain(" ".join(parts))


def _joined(told: Any) -> str:
    return " ".join(map(str, told)) if isinstance(told, list) else str(told)


def patiently(call: Callable[[], Json], seconds: float) -> Json:
    """What ``call`` returns, tried for so long while there is no answer.

    Raises GateError.
    """
    began, backoff = time.monotonic(), FIRST_BACKOFF
    while True:
        try:
            return call()
        except NoAnswer as error:
            left = began + seconds - time.monotonic()
            if left <= 0:
                raise GateError(f"No answer for {seconds:.0f} s. {error}") from error
            pause = min(max(backoff, error.pause), left)
            tell(f"no answer, trying again in {pause:.0f} s. {error}")
        time.sleep(pause)
        backoff = min(backoff * 2, LONGEST_BACKOFF)


def post_deploy(server: Server, options: argparse.Namespace) -> int:
    """Record the deploy; returns its id. A repeated post is the same deploy."""
    told = {
        "project": options.project,
        "release": options.release,
        "environment": options.environment,
        "name": options.name,
        "url": options.url,
        "started_at": options.started,
        "finished_at": options.finished,
        "traffic_share": options.traffic_share,
        "irreversible": options.irreversible or None,
        "idempotency_key": options.idempotency_key,
    }
    body = {name: value for name, value in told.items() if value not in (None, "")}
    answer = patiently(lambda: server.call("deploys/", body), UNREACHABLE_SECONDS)
    if not isinstance(answer.get("id"), int):
        raise GateError(f"The answer to the deploy has no id: {plain(str(answer))}")
    return int(answer["id"])


class Polls:
    """Long polls for one verdict; shorter ones after one was cut."""

    def __init__(self, server: Server, deploy: int) -> None:
        self._server, self._path = server, f"deploys/{deploy}/verdict"
        self._seconds = LONGEST_POLL

    def ask(self, left: float) -> Json:
        """The verdict, for which the server may wait ``left`` seconds at most."""
        wait = min(self._seconds, int(left))
        if wait < 1:
            return self._server.call(self._path)
        try:
            return self._server.call(
                f"{self._path}?wait={wait}", seconds=wait + ANSWER_SECONDS
            )
        except NoAnswer:
            self._seconds = max(self._seconds // 2, SHORTEST_POLL)
            raise


def await_verdict(server: Server, deploy: int, seconds: float) -> Json:
    """The verdict when it is final, or the last one when ``seconds`` are over."""
    polls, told = Polls(server, deploy), ""
    deadline = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        verdict = patiently(
            lambda: polls.ask(deadline - time.monotonic()),
            min(max(deadline - began, LEAST_PAUSE), UNREACHABLE_SECONDS),
        )
        left = deadline - time.monotonic()
        if verdict.get("final") or left <= 0:
            return verdict
        if verdict.get("sentence", told) != told:
            told = verdict["sentence"]
            tell(told)
        rest = LEAST_PAUSE - (time.monotonic() - began)
        time.sleep(max(0.0, min(rest, left)))


def report(verdict: Json) -> str:
    """The verdict for a person; lines begin with words of ours, see ``plain``."""
    what = f"{verdict.get('release')} in {verdict.get('environment')}"
    word = str(verdict.get("verdict")).upper()
    lines = [f"{word}: {verdict.get('sentence') or what}"]
    lines += _suspects(verdict.get("suspects") or [])
    rollback = verdict.get("rollback")
    if rollback:
        state = str(rollback.get("state")).replace("_", " ")
        lines.append(f"Rollback: {state}. {rollback.get('explanation') or ''}")
    lines.append(f"Page: {verdict.get('url')}")
    return "\n".join(plain(line) for line in lines)


def _suspects(suspects: Sequence[Json]) -> list[str]:
    lines = []
    for suspect in suspects:
        facts = ["new"] if suspect.get("is_new") else []
        if suspect.get("share") is not None:
            facts.append(f"{suspect['share']:.0%} of the excess")
        facts += [
            f"{suspect[name]} {name}"
            for name in ("errors", "tenants")
            if suspect.get(name) is not None
        ]
        about = f" ({', '.join(facts)})" if facts else ""
        lines.append(
            f"Suspect: {suspect.get('short_id')} {suspect.get('title')}{about}"
        )
        for commit in suspect.get("commits") or []:
            sha, author = str(commit.get("sha"))[:12], commit.get("author")
            lines.append(f"  Commit: {sha} {commit.get('subject')} ({author})")
    return lines


def plain(text: str) -> str:
    """One line that a CI system only shows.

    Titles come from events, so from strangers: control characters, and what GitHub
    reads as a command wherever it stands in a line, are broken up.
    """
    line = "".join(c if c.isprintable() else " " for c in text)
    return line.replace("##[", "## [")


def as_json(verdict: Json) -> str:
    return json.dumps(verdict).replace("##[", "#\\u0023[")


def tell(text: str) -> None:
    """Progress, apart from the verdict."""
    print(plain(f"rush-gate: {text}"), file=sys.stderr, flush=True)


def run_of(env: Mapping[str, str]) -> tuple[str, str, list[str]]:
    """The run of the pipeline that calls: its id, its page, what else tells it apart.

    All empty outside GitHub Actions and GitLab CI.
    """
    if env.get("GITHUB_RUN_ID"):
        run, repository = env["GITHUB_RUN_ID"], env.get("GITHUB_REPOSITORY", "")
        server = env.get("GITHUB_SERVER_URL", "https://github.com")
        names = ("GITHUB_RUN_ATTEMPT", "GITHUB_JOB")
        told = [server, repository, *(env.get(name, "") for name in names)]
        return f"github-{run}", f"{server}/{repository}/actions/runs/{run}", told
    if env.get("CI_JOB_ID"):
        server = env.get("CI_SERVER_URL", "")
        return f"gitlab-{env['CI_JOB_ID']}", env.get("CI_JOB_URL", ""), [server]
    return "", "", []


def parse(argv: Sequence[str] | None, env: Mapping[str, str]) -> argparse.Namespace:
    """The options, with what the environment says where they are silent."""
    parser = _parser(env)
    options = parser.parse_args(argv)
    options.token = env.get("RUSH_TOKEN", "").strip()
    if not options.server.startswith(("http://", "https://")):
        parser.error("RUSH_URL (or --server) must be such as https://rush.example.com")
    if not options.token:
        parser.error("RUSH_TOKEN must hold a token of rush_monitor")
    if options.deploy is None and not (options.project and options.release):
        parser.error("tell --project and --release, or --deploy for a known one")
    for name in ("started", "finished"):
        if getattr(options, name) == "now":
            setattr(options, name, datetime.now(timezone.utc).isoformat())
    run, page, told = run_of(env)
    options.url = page if options.url is None else options.url
    if options.idempotency_key is None and run:
        deploy = [options.project, options.environment, options.release, options.name]
        digest = hashlib.sha256(json.dumps(told + deploy).encode()).hexdigest()
        options.idempotency_key = f"{run}-{digest[:16]}"
    return options


def _parser(env: Mapping[str, str]) -> argparse.ArgumentParser:
    text = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="rush-gate",
        description=text[0],
        epilog=text[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--server", default=env.get("RUSH_URL", ""), help="instead of RUSH_URL")
    add("--project", default=env.get("RUSH_PROJECT"), help="its slug")
    add("--release", default=env.get("RUSH_RELEASE"), help="the version shipped")
    add(
        "--environment",
        default=env.get("RUSH_ENVIRONMENT") or "production",
        help="where it was shipped to (default: %(default)s)",
    )
    add("--name", default="", help="tells deploys of one release apart")
    add("--url", help="the page of the deploy (default: that of the CI run)")
    add("--started", metavar="TIME", help="ISO 8601 with offset, or now")
    add("--finished", metavar="TIME", help="ISO 8601 with offset, or now")
    add("--irreversible", action="store_true", help="never roll it back")
    add("--traffic-share", type=float, metavar="PART", help="of a canary, 0-1")
    add("--idempotency-key", metavar="KEY", help="default: made of the CI run")
    add("--deploy", type=int, metavar="ID", help="post none, wait for this one")
    add(
        "--wait",
        type=int,
        default=3700,
        metavar="SECONDS",
        help="how long for a verdict (default: %(default)s)",
    )
    add(
        "--on-inconclusive",
        choices=("pass", "fail"),
        default="fail",
        help="pass: end with 0 instead of 3",
    )
    add("--json", action="store_true", help="print the verdict as JSON")
    return parser


def exit_status(verdict: Json, options: argparse.Namespace) -> int:
    """See the top of this file."""
    code = verdict.get("exit_code")
    if not verdict.get("final") or not isinstance(code, int):
        tell(f"no verdict after {options.wait} s, the deploy is still watched")
        return PENDING
    if code == INCONCLUSIVE and options.on_inconclusive == "pass":
        tell("inconclusive, passed by --on-inconclusive")
        return HEALTHY
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    options = parse(argv, os.environ)
    server = Server(options.server, options.token)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="replace")
    try:
        deploy = options.deploy
        if deploy is None:
            deploy = post_deploy(server, options)
            tell(f"deploy {deploy}: {options.release} in {options.environment}")
        verdict = await_verdict(server, deploy, options.wait)
    except GateError as error:
        tell(str(error))
        return FAILED
    print(as_json(verdict) if options.json else report(verdict), flush=True)
    return exit_status(verdict, options)


if __name__ == "__main__":
    sys.exit(main())
