import re
from pathlib import Path
from typing import Any

import drf_spectacular_sidecar
import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator


@pytest.fixture(scope="module")
def schema() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]


def test_the_description_is_valid_and_without_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "schema.yaml"

    call_command("spectacular", validate=True, fail_on_warn=True, file=str(file))

    assert "/api/v1/issues/" in file.read_text()


def test_every_operation_tells_how_its_errors_look(schema: Any) -> None:
    operations = [
        operation for path in schema["paths"].values() for operation in path.values()
    ]

    assert all("4XX" in operation["responses"] for operation in operations)


def test_every_list_is_paged_by_cursor(schema: Any) -> None:
    lists = [
        path["get"]
        for path in schema["paths"].values()
        if "get" in path and path["get"]["operationId"].endswith("_list")
    ]
    without = [
        operation["operationId"]
        for operation in lists
        if "cursor" not in {p["name"] for p in operation["parameters"]}
    ]

    assert without == ["outcomes_list"]


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/v1/projects/", "post"),
        ("/api/v1/keys/", "post"),
        ("/api/v1/projects/{project_id}/setup/", "get"),
        ("/api/v1/projects/{project_id}/test-event/", "post"),
        ("/api/v1/tenants/import/", "post"),
        ("/api/v1/tokens/", "post"),
        ("/api/v1/issues/", "get"),
        ("/api/v1/issues/{id}/resolve/", "post"),
        ("/api/v1/issues/{id}/merge/", "post"),
        ("/api/v1/rollback-targets/", "post"),
        ("/api/v1/deploys/{deploy_id}/rollback/", "post"),
        ("/api/v1/hit-list/", "post"),
        ("/api/v1/incidents/", "post"),
        ("/api/v1/incidents/{id}/change/", "post"),
        ("/api/v1/incident-policies/", "post"),
        ("/api/v1/alert-rules/", "post"),
        ("/api/v1/slack-accounts/", "post"),
        ("/api/v1/weekly-reports/", "post"),
        ("/api/v1/figures/", "get"),
        ("/api/v1/releases/", "post"),
        ("/api/v1/releases/{release_id}/commits/", "put"),
        ("/api/v1/deploys/", "post"),
        ("/api/v1/deploys/{id}/finish/", "post"),
        ("/api/v1/traffic/", "post"),
        ("/api/v1/fingerprint-rules/", "post"),
        ("/api/v1/projects/{project_id}/filters/", "patch"),
        ("/api/v1/projects/{project_id}/filters/preview/", "post"),
        ("/api/v1/scrub-rules/", "post"),
        ("/api/v1/scrub-rules/preview/", "post"),
        ("/api/v1/detail-rules/", "post"),
        ("/api/v1/detail-rules/preview/", "post"),
        ("/api/v1/detail/", "get"),
        ("/api/v1/dead-letters/digest-again/", "post"),
        ("/api/v1/releases/{release_id}/health/", "get"),
    ],
)
def test_the_main_calls_have_examples(schema: Any, path: str, method: str) -> None:
    assert "examples" in str(schema["paths"][path][method])


def test_tokens_stand_in_the_description(schema: Any) -> None:
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_the_page_fetches_nothing_from_elsewhere() -> None:
    page = Client().get("/api/v1/docs/").content.decode()

    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links
    assert all(link.startswith("/static/") for link in links)
    root = Path(drf_spectacular_sidecar.__file__).parent / "static"
    assert all((root / link.removeprefix("/static/")).is_file() for link in links)
