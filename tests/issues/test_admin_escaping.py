"""Events are hostile input: nothing in them may become markup, script or a link."""

import json
from typing import Any

import pytest

from issues.models import DeadLetter, Issue
from issues.sealed_envelopes import Sender
from tests.admin_pages import client_of, page, tags_in
from tests.envelopes import sealed
from tests.factories import (
    make_dead_letter,
    make_event,
    make_fingerprint,
    make_hit,
    make_issue,
    make_tenant,
)

pytestmark = pytest.mark.django_db

MARKUP = "</pre></td><script>alert(1)</script><img src=x onerror=alert(2)>"
QUOTES = "\" autofocus onfocus=alert(3) x='"
LINK = "javascript:alert(4)"
EVIL = MARKUP + QUOTES


def hostile_payload() -> dict[str, Any]:
    frame = {
        "filename": LINK,
        "abs_path": LINK,
        "function": EVIL,
        "module": EVIL,
        "lineno": 3,
        "context_line": EVIL,
        "pre_context": [EVIL],
        "post_context": [EVIL],
        "vars": {EVIL: EVIL, "nested": {EVIL: [EVIL]}},
        "in_app": True,
    }
    mechanism = {"type": EVIL, "handled": False, "help_link": LINK, "source": EVIL}
    exception = {
        "type": EVIL,
        "value": EVIL,
        "module": EVIL,
        "mechanism": mechanism,
        "stacktrace": {"frames": [frame, {**frame, "in_app": False}]},
    }
    crumb = {"category": EVIL, "message": EVIL, "level": EVIL, "type": EVIL}
    return {
        "exception": {"values": [exception, exception]},
        "threads": {"values": [{"name": EVIL, "stacktrace": {"frames": [frame]}}]},
        "breadcrumbs": {"values": [{**crumb, "timestamp": EVIL, "data": {EVIL: LINK}}]},
        "request": {
            "url": LINK,
            "method": EVIL,
            "headers": {EVIL: LINK},
            "data": EVIL,
            "cookies": EVIL,
            "query_string": EVIL,
            "env": {EVIL: EVIL},
        },
        "user": {"id": EVIL, "email": EVIL, EVIL: EVIL},
        "contexts": {EVIL: {EVIL: EVIL}},
        "extra": {EVIL: EVIL},
        "modules": {EVIL: EVIL},
        "sdk": {"name": EVIL, "version": EVIL, "integrations": [EVIL]},
        "logentry": {"formatted": EVIL},
        "_rush": {"notes": [EVIL]},
    }


@pytest.fixture
def issue() -> Issue:
    tenant = make_tenant(EVIL, name=EVIL)
    issue = make_issue(
        title=EVIL,
        type=EVIL,
        value=EVIL,
        culprit=LINK + EVIL,
        platform=QUOTES,
        logger=EVIL,
        tenants=[tenant],
        stats={"parts": {"sentence": EVIL, "basis": EVIL, "level": EVIL}},
    )
    make_event(
        issue,
        payload=hostile_payload(),
        tags=[f"{EVIL}={EVIL}", f"url={LINK}"],
        tenant=tenant,
        user=EVIL[:200],
        transaction=EVIL[:200],
        title=EVIL[:200],
    )
    make_fingerprint(issue, reason=EVIL, parts=[EVIL, {"kind": EVIL, "text": EVIL}])
    make_hit(issue, reason=EVIL)
    make_issue(issue.project, title=EVIL, merged_into=issue)
    body = sealed(json.dumps(EVIL).encode(), Sender(user_agent=EVIL))
    make_dead_letter(issue.project, error=EVIL, traceback=EVIL, body=body)
    return issue


PAGES = [
    "index",
    "issues_issue_changelist",
    "issues_issue_change",
    "issues_event_changelist",
    "issues_event_change",
    "issues_hitlistentry_changelist",
    "issues_deadletter_changelist",
    "issues_deadletter_change",
    "tenants_tenant_changelist",
    "tenants_tenant_change",
]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_an_event_becomes_markup(issue: Issue, name: str) -> None:
    rows = {
        "issues_issue_change": issue.pk,
        "issues_event_change": issue.event_set.get().pk,
        "issues_deadletter_change": DeadLetter.objects.get().pk,
        "tenants_tenant_change": issue.event_set.get().tenant_id,
    }
    arguments = [rows[name]] if name in rows else []

    html = page(client_of("owner"), name, *arguments)

    for tag, attributes in tags_in(html):
        assert "autofocus" not in attributes or attributes.get("id") == "id_username"
        assert not [key for key in attributes if key.startswith("on")], (
            tag,
            attributes,
        )
        assert tag != "img"
        if tag == "script":
            assert str(attributes.get("src", "")).startswith("/"), attributes
        for key in ("href", "src", "action", "formaction"):
            assert "javascript:" not in str(attributes.get(key, "")).lower()[:40]
