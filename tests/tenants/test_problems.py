import pytest
from django.test import Client, RequestFactory
from django.urls import get_resolver
from rest_framework.test import APIClient

from issues.models import Issue
from tenants.problems import MEDIA_TYPE, problem_response
from tenants.refusals import Refusal
from tests.factories import make_project, make_user, token_client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path", ["/api/", "/api/v2/issues/", "/api/v1/nope/", "/api/v1/issues/1/nope/"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_leads_nowhere_is_a_problem(path: str, method: str) -> None:
    response = Client(enforce_csrf_checks=True).generic(method, path)

    assert response.status_code == 404
    assert response["Content-Type"] == MEDIA_TYPE
    assert path in response.json()["detail"]


def test_the_last_slash_may_be_left_out() -> None:
    assert token_client("issue:read").get("/api/v1/issues").status_code == 200


def test_a_method_that_is_not_there_is_a_problem() -> None:
    response = token_client("issue:write").put("/api/v1/issues/")

    assert response.status_code == 405
    assert response.json()["title"] == "Method Not Allowed"


def test_a_body_that_is_no_json_is_a_problem() -> None:
    response = token_client("project:write").generic(
        "POST", "/api/v1/projects/", "{", "application/json"
    )

    assert response.status_code == 400
    assert response["Content-Type"] == MEDIA_TYPE
    assert "JSON parse error" in response.json()["detail"]


def test_a_form_is_no_body_of_the_api() -> None:
    response = token_client("project:write").post(
        "/api/v1/projects/", {"name": "x", "slug": "x"}, format="multipart"
    )

    assert response.status_code == 415
    assert response["Content-Type"] == MEDIA_TYPE


def test_a_body_that_is_too_large_is_a_problem() -> None:
    body = f'{{"name": "{"x" * (10 << 20)}"}}'

    response = token_client("project:write").generic(
        "POST", "/api/v1/projects/", body, "application/json"
    )

    assert response.status_code == 413
    assert "larger than 10 MiB" in response.json()["detail"]


def test_too_many_form_fields_are_a_problem() -> None:
    response = token_client("tenant:write").post(
        "/api/v1/tenants/import/", {str(n): n for n in range(1001)}, format="multipart"
    )

    assert response.status_code == 400
    assert response["Content-Type"] == MEDIA_TYPE


def test_a_refused_field_is_named() -> None:
    response = token_client("project:write").post("/api/v1/projects/", {"name": "x"})

    assert response.json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "The request is not valid; see errors.",
        "errors": {"slug": ["This field is required."]},
    }


def test_a_body_of_the_wrong_kind_is_a_problem() -> None:
    response = token_client("project:write").post(
        "/api/v1/projects/", [1], format="json"
    )

    assert response.status_code == 400
    assert "request" in response.json()["errors"]


def test_nobody_is_asked_to_log_in() -> None:
    response = APIClient().get("/api/v1/issues/")

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="rush_monitor"'
    assert response["Content-Type"] == MEDIA_TYPE


def test_an_unknown_token_is_a_problem() -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Bearer nope")

    response = client.get("/api/v1/issues/")

    assert response.status_code == 401
    assert "unknown, expired or revoked" in response.json()["detail"]


def test_a_person_without_a_role_is_told_what_is_missing() -> None:
    client = APIClient()
    client.force_login(make_user())

    response = client.get("/api/v1/issues/")

    assert response.status_code == 403
    assert response.json()["detail"] == "Your role lacks issues.view_issue."


def test_a_person_who_is_no_staff_may_nothing() -> None:
    client = APIClient()
    client.force_login(make_user(role="owner", is_staff=False))

    assert client.get("/api/v1/issues/").status_code == 403


def test_a_session_writes_only_with_its_csrf_token() -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(make_user(role="owner"))

    response = client.post("/api/v1/projects/", {"name": "x", "slug": "x"})

    assert response.status_code == 403
    assert "CSRF" in response.json()["detail"]


def test_a_refused_step_is_a_bad_request() -> None:
    response = problem_response(Refusal("Name the release."), {})

    assert response is not None
    assert (response.status_code, response.data["detail"]) == (400, "Name the release.")


def test_our_own_faults_are_no_problem_document_of_the_caller() -> None:
    assert problem_response(ValueError("ours"), {}) is None


def test_a_call_that_raises_answers_with_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_project()
    monkeypatch.setattr(Issue, "short_id", None)
    monkeypatch.setattr(Issue.objects, "shown", lambda: 1 / 0)
    client = token_client("issue:read")
    client.raise_request_exception = False

    response = client.get("/api/v1/issues/")

    assert response.status_code == 500
    assert response["Content-Type"] == MEDIA_TYPE
    assert "ZeroDivision" not in response.content.decode()


def test_a_page_that_raises_answers_people_with_a_page() -> None:
    handler = get_resolver().resolve_error_handler(500)

    response = handler(RequestFactory().get("/admin/"))

    assert response.status_code == 500
    assert response["Content-Type"].startswith("text/html")
