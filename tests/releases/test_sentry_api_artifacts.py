"""``sentry-cli sourcemaps upload``, call by call; test_recorded_uploads replays it."""

import gzip
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from releases.artifacts import find_by_url, requested
from releases.artifacts.assembling import assemble_waiting
from releases.models import ArtifactBundle, Release, StoredFile
from releases.sentry_api import artifacts
from tenants.models import AuditEntry, Project
from tests.factories import make_project, token_client
from tests.releases.uploads import (
    ASSEMBLE,
    CHUNKS,
    ROOT,
    body_of,
    digest,
    parts_of,
    send_parts,
    usual,
    waiting,
)

pytestmark = pytest.mark.django_db

State = ArtifactBundle.State


@pytest.fixture
def client() -> APIClient:
    return token_client("release:write")


@pytest.fixture
def web() -> Project:
    return make_project(slug="web")


def ask(client: APIClient, body: Mapping[str, Any], path: str = ASSEMBLE) -> Any:
    response = client.post(path, body)
    assert response.status_code == 200, response.json()
    return response.json()


# How to upload


def test_the_options_have_all_that_sentry_cli_needs(client: APIClient) -> None:
    told = client.get(CHUNKS).json()
    assert told["url"] == CHUNKS
    assert told["hashAlgorithm"] == "sha1"
    assert told["chunkSize"] & (told["chunkSize"] - 1) == 0
    assert told["maxRequestSize"] >= told["chunkSize"]
    assert told["chunksPerRequest"] > 0 < told["concurrency"]
    assert "artifact_bundles" in told["accept"]
    assert told["compression"] == ["gzip"]


# Parts


@pytest.mark.parametrize("field", ["file", "file_gzip"])
def test_a_part_is_kept(client: APIClient, field: str) -> None:
    sent = gzip.compress(b"1" * 99, mtime=0) if field == "file_gzip" else b"1" * 99
    response = send_parts(client, [sent], field, digest(b"1" * 99))
    assert response.status_code == 200
    assert StoredFile.objects.get().size == 99


def test_a_part_is_kept_once(client: APIClient) -> None:
    send_parts(client, [b"1", b"2"])
    send_parts(client, [b"2"])
    assert StoredFile.objects.count() == 2


@pytest.mark.parametrize(
    ("sent", "field", "name", "told"),
    [
        (b"1", "file", "0" * 40, f"has the SHA-1 {digest(b'1')}; name it by that"),
        (b"nonsense", "file_gzip", "0" * 40, "is no gzip"),
        (
            gzip.compress(b"1" * 99, mtime=0)[:20],
            "file_gzip",
            digest(b"1" * 99),
            "too early",
        ),
        (b"1" * 101, "file", digest(b"1" * 101), "more than 100 bytes (chunkSize)"),
        (
            gzip.compress(b"1" * 101, mtime=0),
            "file_gzip",
            digest(b"1" * 101),
            "more than 100 bytes",
        ),
        (
            gzip.compress(bytes(9 << 20), mtime=0),
            "file_gzip",
            "0" * 40,
            "more than 100 bytes",
        ),
    ],
)
def test_a_part_that_is_wrong_is_told(
    client: APIClient,
    monkeypatch: pytest.MonkeyPatch,
    sent: bytes,
    field: str,
    name: str,
    told: str,
) -> None:
    monkeypatch.setattr(artifacts, "CHUNK_BYTES", 100)
    response = send_parts(client, [sent], field, name)
    assert response.status_code == 400
    assert told in response.json()["detail"]
    assert not StoredFile.objects.exists()


def test_no_part_at_all_is_told(client: APIClient) -> None:
    response = client.post(CHUNKS, {"other": "1"}, format="multipart")
    assert response.status_code == 400
    assert "file or file_gzip" in response.json()["detail"]


def test_too_many_parts_are_told(client: APIClient) -> None:
    response = send_parts(client, [bytes([n]) for n in range(65)])
    assert response.status_code == 400
    assert "at most 64 parts" in response.json()["detail"]


def test_a_request_that_is_too_large_is_told(
    client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "REQUEST_BYTES", 0)
    monkeypatch.setattr(artifacts, "FRAME_BYTES", 100)
    response = send_parts(client, [b"1" * 101])
    assert response.status_code == 413
    assert "maxRequestSize" in response.json()["detail"]


# Assembly


def test_an_upload_from_question_to_answer(client: APIClient, web: Project) -> None:
    data = usual()
    body = body_of(data, "web", version="shop@1")
    first = ask(client, body)
    assert (first["state"], first["missingChunks"]) == ("not_found", [digest(data)])
    assert not ArtifactBundle.objects.exists() and not Release.objects.exists()
    send_parts(client, parts_of(data))
    assert ask(client, body) == {
        "state": "created",
        "missingChunks": [],
        "detail": None,
    }
    assemble_waiting(10)
    assert ask(client, body)["state"] == "ok"
    assert find_by_url(web.pk, "shop@1", "", "https://shop.example/a.js") is not None
    added = AuditEntry.objects.filter(action="added").order_by("pk")
    assert [row.object_type for row in added] == [
        "releases.release",
        "releases.artifactbundle",
    ]


def test_only_the_missing_parts_are_asked_for(client: APIClient, web: Project) -> None:
    data = usual()
    halves = [data[:200], data[200:]]
    send_parts(client, halves[:1])
    body = body_of(data, "web") | {"chunks": [digest(half) for half in halves]}
    assert ask(client, body)["missingChunks"] == [digest(halves[1])]


def test_who_only_asks_is_told_that_it_is_not_here(
    client: APIClient, web: Project
) -> None:
    body = body_of(usual(), "web") | {"chunks": []}
    assert ask(client, body)["state"] == "not_found"


def test_a_bundle_of_another_project_is_not_uploaded_again(
    client: APIClient, web: Project
) -> None:
    waiting(usual())
    assemble_waiting(10)
    StoredFile.objects.filter(name__startswith="chunks/").delete()
    assert ask(client, body_of(usual(), "web"))["state"] == "created"
    assemble_waiting(10)
    assert ask(client, body_of(usual(), "web"))["state"] == "ok"


def test_a_bundle_may_be_of_several_projects(client: APIClient, web: Project) -> None:
    api = make_project(slug="api")
    send_parts(client, parts_of(usual()))
    body = body_of(usual(), "web", str(api.pk), version="suite@1", dist="a")
    ask(client, body)
    assert ask(client, body)["state"] == "created"
    assemble_waiting(10)
    assert ask(client, body)["state"] == "ok"
    rows = ArtifactBundle.objects.order_by("project__slug")
    assert [(row.project.slug, str(row.release), row.dist) for row in rows] == [
        ("api", "suite@1", "a"),
        ("web", "suite@1", "a"),
    ]


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ([State.OK, State.OK], "ok"),
        ([State.OK, State.CREATED], "created"),
        ([State.CREATED, State.ASSEMBLING], "assembling"),
        ([State.OK, State.ERROR], "error"),
    ],
)
def test_the_state_of_several_projects_is_that_of_the_slowest(
    client: APIClient, web: Project, states: list[State], told: str
) -> None:
    for project, state in zip((web, make_project(slug="api")), states, strict=True):
        waiting(usual(), project, state=state, detail="x" if state == "error" else "")
    answer = ask(client, body_of(usual(), "web", "api"))
    assert (answer["state"], answer["detail"]) == (
        told,
        "x" if told == "error" else None,
    )


def test_the_same_bundle_of_another_release_is_one_of_its_own(
    client: APIClient, web: Project
) -> None:
    send_parts(client, parts_of(usual()))
    for version in ("shop@1", "shop@2", None):
        ask(client, body_of(usual(), "web", version=version))
        ask(client, body_of(usual(), "web", version=version))
    assert ArtifactBundle.objects.count() == 3


def test_a_release_that_is_there_is_not_changed(
    client: APIClient, web: Project
) -> None:
    release = Release.objects.create(project=web, version="shop@1", commit="c0ffee")
    send_parts(client, parts_of(usual()))
    ask(client, body_of(usual(), "web", version="shop@1"))
    assert ArtifactBundle.objects.get().release == release
    assert Release.objects.get().commit == "c0ffee"


def test_who_waits_sees_the_error(client: APIClient, web: Project) -> None:
    send_parts(client, [b"nonsense"])
    body = body_of(b"nonsense", "web")
    ask(client, body)
    assemble_waiting(10)
    for _ in range(2):
        answer = ask(client, body)
        assert answer["state"] == "error"
        assert "This is no ZIP" in answer["detail"]


def test_who_uploads_again_later_tries_again(client: APIClient, web: Project) -> None:
    long_ago = timezone.now() - requested.ERROR_STANDS - timedelta(seconds=1)
    bundle = waiting(
        usual(),
        web,
        state=State.ERROR,
        state_since=long_ago,
        attempts=5,
        detail="bad luck",
    )
    assert ask(client, body_of(usual(), "web"))["state"] == "created"
    assemble_waiting(10)
    bundle.refresh_from_db()
    assert (bundle.state, bundle.detail) == (State.OK, "")


def test_a_bundle_sent_again_is_the_newest_and_was_just_used(
    client: APIClient, web: Project
) -> None:
    long_ago = timezone.now() - timedelta(days=60)
    bundle = waiting(
        usual(), web, state=State.OK, uploaded=long_ago, last_used=long_ago
    )
    ask(client, body_of(usual(), "web"))
    bundle.refresh_from_db()
    assert timezone.now() - min(bundle.uploaded, bundle.last_used) < timedelta(hours=1)


def test_the_task_is_rung_once_all_parts_are_here(
    client: APIClient, web: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[tuple[str, str]] = []
    monkeypatch.setattr(
        requested, "ring_on_commit", lambda task, queue: rung.append((task, queue))
    )
    ask(client, body_of(usual(), "web"))
    assert rung == []
    send_parts(client, parts_of(usual()))
    ask(client, body_of(usual(), "web"))
    assert rung == [("releases.assemble", "upkeep")]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"projects": []}, "Name the projects"),
        ({"projects": ["nope"]}, "There is no project 'nope'"),
        ({"checksum": "nonsense"}, "checksum: Give a SHA-1"),
        ({"checksum": "A" * 40}, "checksum: Give a SHA-1"),
        ({"chunks": ["x"]}, "Give a SHA-1"),
        ({"chunks": ["0" * 40] * 4097}, "chunks"),
        ({"chunks": None}, "chunks"),
        ({"version": "v" * 251}, "version"),
        ({"dist": "d" * 65}, "dist"),
    ],
)
def test_a_wrong_question_is_told(
    client: APIClient, web: Project, change: dict[str, Any], told: str
) -> None:
    response = client.post(ASSEMBLE, body_of(usual(), "web") | change)
    assert response.status_code == 400
    assert told in response.json()["detail"]


def test_a_body_that_is_no_object_is_told(client: APIClient) -> None:
    assert client.post(ASSEMBLE, [1]).status_code == 400


@pytest.mark.parametrize("path", [CHUNKS, ASSEMBLE])
def test_uploading_needs_the_scope(path: str) -> None:
    client = token_client("release:read")
    assert client.post(path, {}).status_code == 403
    assert token_client("traffic:write").get(CHUNKS).status_code == 403


def test_old_programs_name_the_release_in_the_path(
    client: APIClient, web: Project
) -> None:
    send_parts(client, parts_of(usual()))
    path = f"{ROOT}/releases/shop@1%2B7/assemble/"
    assert ask(client, body_of(usual(), "web"), path)["state"] == "created"
    assert str(ArtifactBundle.objects.get().release) == "shop@1+7"


# What is not supported


def test_debug_files_are_refused_with_the_reason(client: APIClient) -> None:
    body = {"0" * 40: {"name": "app.so", "chunks": ["0" * 40]}}
    told = ask(client, body, "/api/0/projects/rush/web/files/difs/assemble/")
    assert told["0" * 40]["state"] == "error"
    assert told["0" * 40]["missingChunks"] == []
    assert "not supported here" in told["0" * 40]["detail"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_old_programs_are_told_the_same(client: APIClient, method: str) -> None:
    response = getattr(client, method)("/api/0/projects/rush/web/files/dsyms/unknown/")
    assert response.status_code == 400
    assert "not supported here" in response.json()["detail"]
