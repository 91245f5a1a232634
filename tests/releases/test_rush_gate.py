import ast
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from releases import rush_gate
from releases.rush_gate import main, parse, plain, report

DEPLOY = ["--project", "shop", "--release", "shop@2", "--environment", "production"]
ENV = {"RUSH_URL": "http://rush.example", "RUSH_TOKEN": "t"}
GITHUB = {
    **ENV,
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "4711",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_JOB": "deploy",
}
GITLAB = {
    **ENV,
    "CI_JOB_ID": "815",
    "CI_JOB_URL": "https://gitlab.com/acme/shop/-/jobs/815",
    "CI_SERVER_URL": "https://gitlab.com",
}
CODES = {"healthy": 0, "degraded": 1, "inconclusive": 3}


def verdict(name: str = "pending", **fields: Any) -> dict[str, Any]:
    return {
        "deploy": 17,
        "release": "shop@2",
        "environment": "production",
        "verdict": name,
        "final": name != "pending",
        "sentence": f"It is {name}.",
        "exit_code": CODES.get(name),
        "numbers": {},
        "suspects": [],
        "rollback": None,
        "url": "http://rush.example/17",
        **fields,
    }


@dataclass
class Rush:
    """A local server that gives the answers of ``posts`` and ``verdicts`` in turn.

    An answer is a document, or (status, document, headers), or None: the connection
    ends without one. The last one of a list is repeated.
    """

    posts: list[Any] = field(default_factory=lambda: [{"id": 17}])
    verdicts: list[Any] = field(default_factory=lambda: [verdict("healthy")])
    asked: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(f"{handler.command} {handler.path}")
        self.tokens.add(handler.headers["Authorization"])
        length = int(handler.headers.get("Content-Length", 0))
        if handler.command == "POST":
            self.bodies.append(json.loads(handler.rfile.read(length)))
        answers = self.posts if handler.command == "POST" else self.verdicts
        given = answers.pop(0) if len(answers) > 1 else answers[0]
        if given is None:
            handler.close_connection = True
            return
        status, document, headers = (
            given if isinstance(given, tuple) else (200, given, {})
        )
        body = (
            document if isinstance(document, bytes) else json.dumps(document).encode()
        )
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def rush(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rush]:
    rush = Rush()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            rush.answer(self)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    for name in [*GITHUB, *GITLAB]:
        monkeypatch.delenv(name, raising=False)
    for name, seconds in (
        ("LEAST_PAUSE", 0.01),
        ("FIRST_BACKOFF", 0.01),
        ("LONGEST_BACKOFF", 1.0),
        ("UNREACHABLE_SECONDS", 0.5),
    ):
        monkeypatch.setattr(rush_gate, name, seconds)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    rush.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("RUSH_URL", rush.url)
    monkeypatch.setenv("RUSH_TOKEN", "secret")
    yield rush
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("name", "status"), [("healthy", 0), ("degraded", 1), ("inconclusive", 3)]
)
def test_the_exit_status_is_the_verdict(
    rush: Rush, capsys: pytest.CaptureFixture[str], name: str, status: int
) -> None:
    rush.verdicts = [verdict(name)]

    assert main(DEPLOY) == status
    assert f"{name.upper()}: It is {name}.\n" in capsys.readouterr().out


def test_inconclusive_may_pass(rush: Rush) -> None:
    rush.verdicts = [verdict("inconclusive")]

    assert main([*DEPLOY, "--on-inconclusive", "pass"]) == 0


def test_degraded_never_passes(rush: Rush) -> None:
    rush.verdicts = [verdict("degraded")]

    assert main([*DEPLOY, "--on-inconclusive", "pass"]) == 1


def test_the_deploy_is_posted_with_all_that_is_told(rush: Rush) -> None:
    main(
        [
            *DEPLOY,
            *("--name", "eu", "--url", "http://ci/1", "--idempotency-key", "k"),
            *("--started", "2026-11-25T12:00:00Z", "--finished", "now"),
            *("--traffic-share", "0.1", "--irreversible"),
        ]
    )

    (body,) = rush.bodies
    assert body.pop("finished_at").endswith("+00:00")
    assert body == {
        "project": "shop",
        "release": "shop@2",
        "environment": "production",
        "name": "eu",
        "url": "http://ci/1",
        "started_at": "2026-11-25T12:00:00Z",
        "traffic_share": 0.1,
        "irreversible": True,
        "idempotency_key": "k",
    }
    assert rush.tokens == {"Bearer secret"}


def test_what_is_not_told_is_not_posted(rush: Rush) -> None:
    main(DEPLOY)

    assert list(rush.bodies[0]) == ["project", "release", "environment"]


def test_a_known_deploy_is_only_waited_for(rush: Rush) -> None:
    assert main(["--deploy", "17", "--wait", "20"]) == 0
    assert rush.asked == ["GET /api/v1/deploys/17/verdict?wait=19"]


def test_the_server_may_have_a_prefix(rush: Rush) -> None:
    main(["--deploy", "17", "--wait", "0", "--server", f"{rush.url}/rush/"])

    assert rush.asked == ["GET /rush/api/v1/deploys/17/verdict"]


def test_it_polls_until_the_verdict_is_final(
    rush: Rush, capsys: pytest.CaptureFixture[str]
) -> None:
    watched = verdict(sentence="minute 3 of 60")
    rush.verdicts = [verdict(), watched, watched, verdict("degraded")]

    assert main(DEPLOY) == 1
    assert rush.asked[1:] == ["GET /api/v1/deploys/17/verdict?wait=55"] * 4
    told = capsys.readouterr().err.splitlines()[1:]
    assert told == ["rush-gate: It is pending.", "rush-gate: minute 3 of 60"]


def test_when_the_time_is_over_it_says_so(
    rush: Rush, capsys: pytest.CaptureFixture[str]
) -> None:
    rush.verdicts = [verdict()]

    assert main([*DEPLOY, "--wait", "1"]) == 4
    assert "no verdict after 1 s" in capsys.readouterr().err


def test_a_server_that_does_not_hold_requests_is_not_pressed(
    rush: Rush, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rush_gate, "LEAST_PAUSE", 0.4)
    rush.verdicts = [verdict()]

    main([*DEPLOY, "--wait", "1"])

    assert len(rush.asked) <= 5


@pytest.mark.parametrize(
    "failure", [None, (503, b"", {}), (502, b"<html>", {}), (429, {"detail": "x"}, {})]
)
def test_what_may_pass_is_tried_again(rush: Rush, failure: Any) -> None:
    rush.posts = [failure, failure, {"id": 17}]
    rush.verdicts = [failure, verdict("healthy")]

    assert main([*DEPLOY, "--idempotency-key", "k"]) == 0
    assert len(rush.bodies) == 3
    assert {body["idempotency_key"] for body in rush.bodies} == {"k"}


def test_the_server_says_how_long_to_pause(rush: Rush) -> None:
    rush.posts = [(503, b"", {"Retry-After": "1"}), {"id": 17}]
    began = time.monotonic()

    main(DEPLOY)

    assert time.monotonic() - began > 0.4


def test_a_poll_that_a_proxy_cuts_becomes_shorter(rush: Rush) -> None:
    rush.verdicts = [(504, b"", {}), None, verdict(), verdict("healthy")]

    assert main(DEPLOY) == 0
    waits = [line.rpartition("=")[2] for line in rush.asked[1:]]
    assert waits == ["55", "27", "13", "13"]


def test_a_server_that_never_answers_ends_with_a_reason(
    rush: Rush, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*DEPLOY, "--server", "http://127.0.0.1:1"]) == 2
    assert "No answer for 0 s. http://127.0.0.1:1/api/v1/deploys/" in (
        capsys.readouterr().err
    )


NOT_VALID = {"detail": "See errors.", "errors": {"project": ["There is no 'shop'."]}}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, {"detail": "This token is unknown."}, {}), "scope release:write"),
        ((403, {"detail": "It lacks a scope."}, {}), "It lacks a scope."),
        ((400, NOT_VALID, {}), "project: There is no 'shop'."),
        ((404, b"<h1>not here</h1>", {}), "404 Not Found: <h1>not here"),
        ((302, b"", {"Location": "https://x.example/"}), "redirects to https://x.exa"),
        ((200, b"<html>log in", {}), "something else than JSON"),
        ((200, b"[]", {}), "something else than JSON"),
        ((200, {"results": []}, {}), "has no id"),
    ],
)
def test_what_a_person_must_put_right_ends_it_at_once(
    rush: Rush, capsys: pytest.CaptureFixture[str], answer: Any, said: str
) -> None:
    rush.posts = [answer]

    assert main(DEPLOY) == 2
    assert said in capsys.readouterr().err
    assert len(rush.asked) == 1


def test_the_verdict_may_be_printed_as_json(
    rush: Rush, capsys: pytest.CaptureFixture[str]
) -> None:
    rush.verdicts = [verdict("degraded", sentence="##[set-output name=a]b")]

    main([*DEPLOY, "--json"])

    printed = capsys.readouterr().out
    assert json.loads(printed) == rush.verdicts[0]
    assert "##[" not in printed


def test_the_report_names_suspects_and_rollback() -> None:
    commit = {"sha": "a" * 40, "subject": "Round prices", "author": "Ann", "file": "x"}
    suspect = {
        "short_id": "SHOP-12",
        "title": "KeyError: 'price'",
        "is_new": True,
        "share": 0.83,
        "errors": 210,
        "tenants": 14,
        "commits": [commit],
    }
    rollback = {"state": "not_verified", "explanation": "The rate is still high."}

    text = report(verdict("degraded", suspects=[suspect], rollback=rollback))

    assert text.splitlines()[1:] == [
        "Suspect: SHOP-12 KeyError: 'price' "
        "(new, 83% of the excess, 210 errors, 14 tenants)",
        "  Commit: aaaaaaaaaaaa Round prices (Ann)",
        "Rollback: not verified. The rate is still high.",
        "Page: http://rush.example/17",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n::error::b\r\x1b[0Kc", "a ::error::b  [0Kc"),
        ("x ##[set-output name=a]b", "x ## [set-output name=a]b"),
        ("\u2028y\u202e", " y "),
        ("Preis ü", "Preis ü"),
    ],
)
def test_text_of_strangers_is_no_command_to_ci(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_letters_that_the_terminal_lacks_do_not_hurt(rush: Rush) -> None:
    rush.verdicts = [verdict("degraded", sentence="Preis ü 店")]
    ran = subprocess.run(
        [sys.executable, rush_gate.__file__, "--deploy", "17"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, "Preis ? ?" in ran.stdout) == (1, True)


@pytest.mark.parametrize(
    ("argv", "env", "said"),
    [
        (DEPLOY, {**ENV, "RUSH_TOKEN": " "}, "RUSH_TOKEN"),
        (DEPLOY, {"RUSH_TOKEN": "t"}, "RUSH_URL"),
        (DEPLOY, {**ENV, "RUSH_URL": "rush.example"}, "RUSH_URL"),
        (["--project", "shop"], ENV, "--release"),
        ([*DEPLOY, "--wait", "soon"], ENV, "--wait"),
    ],
)
def test_wrong_use_ends_with_what_is_missing(
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    env: dict[str, str],
    said: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(argv, env)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_the_environment_stands_for_options() -> None:
    told = {"RUSH_PROJECT": "p", "RUSH_RELEASE": "r", "RUSH_ENVIRONMENT": "e"}
    options = parse([], {**ENV, **told})
    assert (options.project, options.release, options.environment) == ("p", "r", "e")


def key(env: dict[str, str], *more: str) -> str | None:
    found: str | None = parse([*DEPLOY, *more], env).idempotency_key
    return found


@pytest.mark.parametrize(
    ("env", "begins", "page"),
    [
        (GITHUB, "github-4711-", "https://github.com/acme/shop/actions/runs/4711"),
        (GITLAB, "gitlab-815-", "https://gitlab.com/acme/shop/-/jobs/815"),
    ],
)
def test_the_run_of_the_pipeline_is_the_key_and_the_page(
    env: dict[str, str], begins: str, page: str
) -> None:
    options = parse(DEPLOY, env)
    assert options.idempotency_key.startswith(begins)
    assert options.url == page
    assert key(env) == options.idempotency_key


def test_outside_ci_there_is_no_key() -> None:
    assert key(ENV) is None


@pytest.mark.parametrize(
    "changed",
    [
        lambda: key({**GITHUB, "GITHUB_RUN_ATTEMPT": "2"}),
        lambda: key({**GITHUB, "GITHUB_JOB": "other"}),
        lambda: key(GITHUB, "--environment", "staging"),
        lambda: key(GITHUB, "--name", "eu"),
    ],
)
def test_another_deploy_of_the_run_has_another_key(
    changed: Callable[[], str | None],
) -> None:
    assert changed() != key(GITHUB)


def test_it_is_written_in_the_python_of_old_runners() -> None:
    source = Path(rush_gate.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names
