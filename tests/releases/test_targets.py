"""What each kind of CD is asked, and what its answers are taken for."""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from releases.rollbacks.targets import (
    KINDS,
    Access,
    Order,
    Version,
)
from releases.rollbacks.targets.argocd import entry_of
from releases.rollbacks.targets.order import risk_of
from tenants.outbound import Answer, Request
from tenants.talks import Fate, Outcome, Sighting, Talk

T = TypeVar("T")
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
KEY = "6f1c2a9e-0000-4000-8000-000000000042"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

ORDER = Order(
    id=42,
    key=KEY,
    project="shop",
    environment="production",
    deploy_id=9,
    from_release=Version("shop@1.1", "f" * 40),
    to_release=Version("shop@1.0", COMMIT),
    at=NOON,
    since=NOON,
    verdict="degraded",
    sentence="shop@1.1 in production is degraded.",
    numbers={"ratio": 4.6},
    suspects=[{"title": "KeyError"}],
)
WEBHOOK = Access("https://cd.example.com/hook", "a signing key of some length")
GITHUB = Access(
    "https://api.github.com",
    "ghp_1",
    {"repository": "acme/shop", "workflow": "rollback.yml"},
)
GITLAB = Access(
    "https://gitlab.example.com/",
    "glptt-1 glpat-2",
    {"project": "acme/shop", "ref": "ops"},
)
ARGOCD = Access("https://argo.example.com", "jwt", {"application": "shop"})


def reply(status: int, body: Any = None, **headers: str) -> Answer:
    text = orjson.dumps(body) if body is not None else b""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, text)


def talk(talk: Talk[T], *answers: Answer) -> tuple[T, list[Request]]:
    """What a talk comes to when it gets these answers, and what it asked for."""
    requests: list[Request] = []
    left = iter(answers)
    try:
        request = next(talk)
        while True:
            requests.append(request)
            request = talk.send(next(left))
    except StopIteration as end:
        return end.value, requests


def call(access: Access, kind: str, *answers: Answer) -> tuple[Outcome, list[Request]]:
    return talk(KINDS[kind].call(access, ORDER), *answers)


def look_up(
    access: Access, kind: str, *answers: Answer
) -> tuple[Sighting, list[Request]]:
    return talk(KINDS[kind].look_up(access, ORDER), *answers)


def probe(access: Access, kind: str, *answers: Answer) -> tuple[Outcome, list[Request]]:
    return talk(KINDS[kind].probe(access, replace(ORDER, test=True)), *answers)


# Webhook


def test_a_webhook_gets_a_signed_order() -> None:
    outcome, (request,) = call(WEBHOOK, "webhook", reply(202))

    assert outcome.fate == Fate.CALLED
    assert (request.method, request.url) == ("POST", WEBHOOK.url)
    assert request.headers["Idempotency-Key"] == KEY
    timestamp = request.headers["X-Rush-Timestamp"]
    assert timestamp == str(int(NOON.timestamp()))
    signed = f"{timestamp}.".encode() + request.body
    digest = hmac.new(WEBHOOK.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["X-Rush-Signature"] == f"sha256={digest}"


def test_a_webhook_is_told_all_that_is_known() -> None:
    _, (request,) = call(WEBHOOK, "webhook", reply(200))

    assert orjson.loads(request.body) == {
        "event": "rollback",
        "test": False,
        "rollback_id": 42,
        "idempotency_key": KEY,
        "project": "shop",
        "environment": "production",
        "deploy": {"id": 9, "name": "", "url": ""},
        "from_release": {"version": "shop@1.1", "commit": "f" * 40},
        "to_release": {"version": "shop@1.0", "commit": COMMIT},
        "verdict": "degraded",
        "reason": "",
        "sentence": "shop@1.1 in production is degraded.",
        "numbers": {"ratio": 4.6},
        "suspects": [{"title": "KeyError"}],
        "requested_by": "",
    }


def test_a_webhook_may_say_where_its_run_is() -> None:
    outcome, _ = call(
        WEBHOOK, "webhook", reply(200, {"run_url": "https://cd.example.com/runs/1"})
    )

    assert outcome.ref == "https://cd.example.com/runs/1"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", 7, None, "https://a b", "https://x/" + "y" * 500]
)
def test_what_is_no_link_is_not_kept(url: Any) -> None:
    outcome, _ = call(WEBHOOK, "webhook", reply(200, {"run_url": url}))

    assert (outcome.fate, outcome.ref) == (Fate.CALLED, "")


def test_a_test_of_a_webhook_is_marked_as_one() -> None:
    outcome, (request,) = probe(WEBHOOK, "webhook", reply(200))

    body = orjson.loads(request.body)
    assert (body["event"], body["test"]) == ("test", True)
    assert outcome.fate == Fate.CALLED


def test_a_webhook_cannot_be_asked() -> None:
    found, requests = look_up(WEBHOOK, "webhook")

    assert not KINDS["webhook"].looks_up(WEBHOOK)
    assert (found.seen, requests) == (False, [])


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (200, Fate.CALLED),
        (204, Fate.CALLED),
        (301, Fate.DOUBT),
        (303, Fate.DOUBT),
        (307, Fate.REFUSED),
        (308, Fate.REFUSED),
        (400, Fate.REFUSED),
        (401, Fate.REFUSED),
        (404, Fate.REFUSED),
        (408, Fate.DOUBT),
        (409, Fate.DOUBT),
        (410, Fate.REFUSED),
        (425, Fate.LATER),
        (429, Fate.LATER),
        (500, Fate.DOUBT),
        (502, Fate.DOUBT),
        (503, Fate.DOUBT),
        (504, Fate.DOUBT),
    ],
)
def test_a_status_tells_what_became_of_a_call(status: int, fate: Fate) -> None:
    outcome, _ = call(WEBHOOK, "webhook", reply(status, {"error": "x"}))

    assert outcome.fate == fate
    assert outcome.told == f'HTTP {status}: {{"error":"x"}}'


@pytest.mark.parametrize(
    ("header", "wait"), [("30", 30), ("9999999", 3600), ("soon", 0), ("-1", 0)]
)
def test_a_target_may_ask_to_wait(header: str, wait: int) -> None:
    outcome, _ = call(WEBHOOK, "webhook", reply(429, retry_after=header))

    assert outcome.wait == wait


# GitHub


def test_a_workflow_is_dispatched() -> None:
    body = {"workflow_run_id": 7, "html_url": "https://github.com/acme/shop/runs/7"}

    outcome, (request,) = call(GITHUB, "github", reply(200, body))

    assert (outcome.fate, outcome.ref) == (Fate.CALLED, body["html_url"])
    assert request.url == (
        "https://api.github.com/repos/acme/shop/actions/workflows/rollback.yml"
        "/dispatches"
    )
    assert request.headers["Authorization"] == "Bearer ghp_1"
    assert request.headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert orjson.loads(request.body) == {
        "ref": "main",
        "return_run_details": True,
        "inputs": {
            "rush_rollback_id": KEY,
            "rush_environment": "production",
            "rush_to_release": "shop@1.0",
            "rush_to_commit": COMMIT,
            "rush_from_release": "shop@1.1",
            "rush_deploy_id": "9",
        },
    }


def test_an_older_github_answers_without_a_body() -> None:
    access = replace(GITHUB, options={**GITHUB.options, "return_run_details": False})

    outcome, (request,) = call(access, "github", reply(204))

    assert (outcome.fate, outcome.ref) == (Fate.CALLED, "")
    assert "return_run_details" not in orjson.loads(request.body)


def test_inputs_may_be_named_as_the_workflow_has_them() -> None:
    chosen = {"version": "{rush_to_release}", "mode": "rollback", "odd": "{x}"}
    access = replace(GITHUB, options={**GITHUB.options, "inputs": chosen})

    _, (request,) = call(access, "github", reply(204))

    assert orjson.loads(request.body)["inputs"] == {
        "rush_rollback_id": KEY,
        "version": "shop@1.0",
        "mode": "rollback",
        "odd": "{x}",
    }


def test_a_spent_rate_limit_of_github_is_waited_for() -> None:
    outcome, _ = call(GITHUB, "github", reply(403, x_ratelimit_remaining="0"))

    assert (outcome.fate, outcome.wait) == (Fate.LATER, 60)


def test_a_token_without_rights_is_final() -> None:
    assert call(GITHUB, "github", reply(403))[0].fate == Fate.REFUSED


def test_a_run_is_found_by_the_id_in_its_name() -> None:
    runs = [
        {"display_title": "Deploy", "html_url": "https://github.com/1"},
        {"display_title": f"Rollback {KEY}", "html_url": "https://github.com/2"},
    ]

    found, (request,) = look_up(GITHUB, "github", reply(200, {"workflow_runs": runs}))

    assert (found.seen, found.ref) == (True, "https://github.com/2")
    query = parse_qs(urlsplit(request.url).query)
    assert query["created"] == [">=2026-11-25T11:58:00Z"]
    assert query["event"] == ["workflow_dispatch"]


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, {"workflow_runs": [{"display_title": "Rollback", "id": 1}, 7]}),
        reply(200, [1]),
        reply(200),
        reply(500),
    ],
)
def test_a_run_that_is_not_there_is_not_found(answer: Answer) -> None:
    assert not look_up(GITHUB, "github", answer)[0].seen


def test_a_workflow_is_tested_on_a_branch_that_is_not_there() -> None:
    answer = reply(422, {"message": "No ref found for: rush-test"})

    outcome, (request,) = probe(GITHUB, "github", answer)

    assert outcome.fate == Fate.CALLED
    assert "Nothing was started" in outcome.told
    assert orjson.loads(request.body)["ref"] == f"rush-test-{KEY}"


@pytest.mark.parametrize(
    "answer", [reply(404, {"message": "Not Found"}), reply(422, {"message": "inputs"})]
)
def test_a_test_of_a_workflow_may_fail(answer: Answer) -> None:
    assert probe(GITHUB, "github", answer)[0].fate == Fate.REFUSED


# GitLab


def test_a_pipeline_is_triggered() -> None:
    body = {"id": 7, "web_url": "https://gitlab.example.com/acme/shop/-/pipelines/7"}

    outcome, (request,) = call(GITLAB, "gitlab", reply(201, body))

    assert (outcome.fate, outcome.ref) == (Fate.CALLED, body["web_url"])
    assert request.url == (
        "https://gitlab.example.com/api/v4/projects/acme%2Fshop/trigger/pipeline"
    )
    form = parse_qs(request.body.decode())
    assert form["token"] == ["glptt-1"]
    assert form["ref"] == ["ops"]
    assert form["variables[RUSH_ROLLBACK_ID]"] == [KEY]
    assert form["variables[RUSH_TO_RELEASE]"] == ["shop@1.0"]


def test_variables_may_be_named_as_the_pipeline_has_them() -> None:
    options = {**GITLAB.options, "variables": {"VERSION": "{rush_to_release}"}}

    _, (request,) = call(replace(GITLAB, options=options), "gitlab", reply(201))

    form = parse_qs(request.body.decode())
    assert form["variables[VERSION]"] == ["shop@1.0"]
    assert form["variables[RUSH_ROLLBACK_ID]"] == [KEY]
    assert "variables[RUSH_ENVIRONMENT]" not in form


def test_a_pipeline_is_found_by_its_name() -> None:
    rows = [
        {"id": 1, "name": "other"},
        {"id": 2, "name": f"Rollback {KEY}", "web_url": "https://gitlab.example.com/2"},
    ]

    found, (request,) = look_up(GITLAB, "gitlab", reply(200, rows))

    assert (found.seen, found.ref) == (True, "https://gitlab.example.com/2")
    assert request.headers == {"PRIVATE-TOKEN": "glpat-2"}


def test_a_pipeline_is_found_by_its_variables() -> None:
    rows = [{"id": 2, "name": None, "web_url": "https://gitlab.example.com/2"}]
    variables = [{"key": "RUSH_ROLLBACK_ID", "value": KEY}]

    found, requests = look_up(GITLAB, "gitlab", reply(200, rows), reply(200, variables))

    assert found.seen
    assert requests[1].url.endswith("/pipelines/2/variables")


def test_pipelines_of_others_are_not_found() -> None:
    rows = [{"id": number} for number in range(3)]

    found, requests = look_up(
        GITLAB, "gitlab", reply(200, rows), reply(403), reply(200, [])
    )

    assert not found.seen
    assert len(requests) == 3


def test_without_a_second_token_gitlab_cannot_be_asked() -> None:
    assert KINDS["gitlab"].looks_up(GITLAB)
    assert not KINDS["gitlab"].looks_up(replace(GITLAB, secret="glptt-1"))


def test_a_pipeline_is_tested_on_a_branch_that_is_not_there() -> None:
    answer = reply(400, {"message": {"base": ["Reference not found"]}})

    outcome, (request,) = probe(GITLAB, "gitlab", answer)

    assert outcome.fate == Fate.CALLED
    assert parse_qs(request.body.decode())["ref"] == [f"rush-test-{KEY}"]


# Argo CD


def entry(number: int, revision: str, **source: Any) -> dict[str, Any]:
    return {"id": number, "revision": revision, "source": source}


HISTORY = [
    entry(3, "aaa1"),
    entry(4, COMMIT),
    entry(5, "aaa2", helm={"parameters": [{"name": "image.tag", "value": "1.0"}]}),
    entry(6, "aaa3"),
]


def application(*history: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"spec": {}, "status": {"history": list(history or HISTORY), **more}}


def test_an_application_is_brought_back() -> None:
    outcome, (read, post) = call(
        ARGOCD, "argocd", reply(200, application()), reply(200, {})
    )

    assert outcome.fate == Fate.CALLED
    assert outcome.ref == "https://argo.example.com/applications/shop"
    assert (read.method, read.url) == (
        "GET",
        "https://argo.example.com/api/v1/applications/shop",
    )
    assert post.url == "https://argo.example.com/api/v1/applications/shop/rollback"
    assert post.headers["Authorization"] == "Bearer jwt"
    assert orjson.loads(post.body) == {
        "name": "shop",
        "id": 5,
        "prune": False,
        "dryRun": False,
    }


def test_namespace_and_project_are_passed_on() -> None:
    options = {
        "application": "shop",
        "app_namespace": "team-a",
        "project": "shops",
        "prune": True,
    }
    access = replace(ARGOCD, options=options)

    _, (read, post) = call(access, "argocd", reply(200, application()), reply(200))

    assert read.url.endswith("/shop?appNamespace=team-a&project=shops")
    body = orjson.loads(post.body)
    assert (body["appNamespace"], body["project"], body["prune"]) == (
        "team-a",
        "shops",
        True,
    )


@pytest.mark.parametrize(
    "deployed",
    [
        entry(1, COMMIT),
        entry(1, COMMIT[:40].upper()),
        {"id": 1, "revisions": ["x", COMMIT]},
        entry(1, "shop@1.0"),
        entry(1, "v1.0"),
        entry(1, "x", targetRevision="v1.0"),
        entry(1, "x", targetRevision="1.0"),
        entry(1, "x", helm={"parameters": [{"value": "shop@1.0"}]}),
        entry(1, "x", helm={"parameters": [{"value": COMMIT}]}),
        entry(1, "x", kustomize={"images": ["registry.example/shop:1.0"]}),
        entry(1, "x", kustomize={"images": [f"shop=registry.example/shop:{COMMIT}"]}),
        {"id": 1, "sources": [{"targetRevision": "v1.0"}]},
    ],
)
def test_a_deployment_is_known_by_revision_branch_or_image(
    deployed: dict[str, Any],
) -> None:
    found = entry_of(application(deployed, entry(2, "now")), ORDER.to_release)

    assert found == deployed


@pytest.mark.parametrize(
    "deployed",
    [
        entry(1, "aaaaaaaaaa"),
        entry(1, "11.0"),
        entry(1, "x", kustomize={"images": ["registry.example/shop:11.0"]}),
        entry(1, "x", helm={"parameters": [{"value": "1.0.1"}]}),
        {"id": "one", "revision": COMMIT},
        {"revision": COMMIT},
    ],
)
def test_other_deployments_are_not_taken_for_it(deployed: dict[str, Any]) -> None:
    assert entry_of(application(deployed, entry(2, "now")), ORDER.to_release) is None


def test_the_newest_earlier_deployment_is_chosen_but_not_the_present_one() -> None:
    rows = [entry(1, COMMIT), entry(2, COMMIT), entry(3, "x"), entry(4, COMMIT)]

    found = entry_of(application(*rows[::-1]), ORDER.to_release)

    assert found is not None
    assert found["id"] == 2


def test_an_application_that_never_had_the_release_is_not_called() -> None:
    outcome, requests = call(
        ARGOCD, "argocd", reply(200, application(entry(1, "x"), entry(2, "y")))
    )

    assert outcome.fate == Fate.REFUSED
    assert "no earlier deployment of shop@1.0" in outcome.told
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (401, Fate.REFUSED),
        (404, Fate.REFUSED),
        (429, Fate.LATER),
        (500, Fate.LATER),
        (503, Fate.LATER),
    ],
)
def test_reading_that_fails_orders_nothing(status: int, fate: Fate) -> None:
    assert call(ARGOCD, "argocd", reply(status))[0].fate == fate


def test_automated_sync_refuses_a_rollback() -> None:
    refused = {"error": "rollback cannot be initiated when auto-sync is enabled"}

    outcome, _ = call(ARGOCD, "argocd", reply(200, application()), reply(400, refused))

    assert outcome.fate == Fate.REFUSED
    assert "auto-sync" in outcome.told


def operation(revision: str, began: str) -> dict[str, Any]:
    return {"startedAt": began, "operation": {"sync": {"revision": revision}}}


@pytest.mark.parametrize(
    "found",
    [
        application(operationState=operation("aaa2", "2026-11-25T12:00:01Z")),
        {**application(), "operation": {"sync": {"revision": "aaa2"}}},
        {**application(), "operation": {"sync": {"revisions": ["aaa2"]}}},
    ],
)
def test_an_operation_since_the_call_is_the_rollback(found: dict[str, Any]) -> None:
    assert look_up(ARGOCD, "argocd", reply(200, found))[0].seen


@pytest.mark.parametrize(
    "found",
    [
        application(operationState=operation("aaa2", "2026-11-25T11:00:00Z")),
        application(operationState=operation("other", "2026-11-25T12:00:01Z")),
        application(operationState=operation("aaa2", "nonsense")),
        application(operationState={"startedAt": 7}),
        application(),
        {},
        [],
    ],
)
def test_other_operations_are_not(found: Any) -> None:
    assert not look_up(ARGOCD, "argocd", reply(200, found))[0].seen


def test_a_test_of_an_application_reads_it_only() -> None:
    outcome, (request,) = probe(ARGOCD, "argocd", reply(200, application()))

    assert request.method == "GET"
    assert outcome.fate == Fate.CALLED
    assert "Of release shop@1.0 it has deployment 5" in outcome.told


@pytest.mark.parametrize(
    ("automated", "fate"),
    [({}, Fate.REFUSED), ({"enabled": False}, Fate.CALLED), (None, Fate.CALLED)],
)
def test_a_test_warns_of_automated_sync(automated: Any, fate: Fate) -> None:
    body = {**application(), "spec": {"syncPolicy": {"automated": automated}}}

    assert probe(ARGOCD, "argocd", reply(200, body))[0].fate == fate


# All kinds

GOOD = {"webhook": WEBHOOK, "github": GITHUB, "gitlab": GITLAB, "argocd": ARGOCD}


@pytest.mark.parametrize("kind", KINDS)
def test_what_can_work_has_no_problems(kind: str) -> None:
    assert KINDS[kind].problems(GOOD[kind]) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_needs_a_secret(kind: str) -> None:
    assert "secret" in KINDS[kind].problems(replace(GOOD[kind], secret=""))


@pytest.mark.parametrize("kind", ["github", "gitlab", "argocd"])
def test_tokens_do_not_travel_in_the_clear(kind: str) -> None:
    access = replace(GOOD[kind], url="http://cd.example.com")

    assert "https" in KINDS[kind].problems(access)["url"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_option_is_named(kind: str) -> None:
    access = replace(GOOD[kind], options={**GOOD[kind].options, "reff": "x"})

    assert "reff: not known here" in KINDS[kind].problems(access)["options"]


@pytest.mark.parametrize("kind", ["github", "gitlab", "argocd"])
def test_what_a_kind_needs_is_named(kind: str) -> None:
    told = KINDS[kind].problems(replace(GOOD[kind], options={}))["options"]

    assert told.startswith("Give ")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("github", {"repository": "shop", "workflow": "x"}),
        ("github", {"repository": "a/b", "workflow": "x", "inputs": ["version"]}),
        ("gitlab", {"project": "1", "variables": "VERSION"}),
    ],
)
def test_options_of_a_wrong_form_are_refused(
    kind: str, options: dict[str, Any]
) -> None:
    assert "options" in KINDS[kind].problems(replace(GOOD[kind], options=options))


@pytest.mark.parametrize("kind", KINDS)
def test_a_preview_names_the_release_and_no_secret(kind: str) -> None:
    told = KINDS[kind].preview(GOOD[kind], ORDER)

    assert "shop@1.0" in told
    assert not any(secret in told for secret in (WEBHOOK.secret, "ghp", "glp", "jwt"))


@pytest.mark.parametrize(
    "version",
    [
        "$(id)",
        "1; id",
        "1`id`",
        "1 && id",
        "1|id",
        "-rf",
        "a b",
        "1\nid",
        "ü",
        "'",
        '"',
    ],
)
@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_name_that_a_shell_would_act_on_is_not_handed_to_a_pipeline(
    kind: str, version: str
) -> None:
    order = replace(ORDER, to_release=Version(version))

    outcome, requests = talk(KINDS[kind].call(GOOD[kind], order))

    assert outcome.fate == Fate.REFUSED
    assert requests == []


@pytest.mark.parametrize(
    "version", ["shop@1.0", "2026.11.25+build-7", "v1/2", "a_b~1", COMMIT, "@acme/x@1"]
)
def test_usual_names_are_handed_on(version: str) -> None:
    assert risk_of(replace(ORDER, to_release=Version(version))) is None


def test_no_text_of_an_issue_is_handed_to_a_pipeline() -> None:
    order = replace(ORDER, sentence="mainly KeyError: '$(id)'")

    for kind in ("github", "gitlab"):
        _, (request,) = talk(KINDS[kind].call(GOOD[kind], order), reply(200))
        assert b"KeyError" not in request.body


def test_a_look_up_begins_before_the_call() -> None:
    late = replace(ORDER, since=NOON - timedelta(hours=1))

    _, (request,) = talk(KINDS["gitlab"].look_up(GITLAB, late), reply(200, []))

    query = parse_qs(urlsplit(request.url).query)
    assert query["updated_after"] == ["2026-11-25T10:58:00Z"]
