import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from releases.admin import artifacts
from releases.models import Artifact, ArtifactBundle
from tenants.models import AuditEntry
from tests.admin_pages import client_of, page
from tests.factories import make_artifact, make_bundle, make_project
from tests.releases.uploads import DEBUG_ID

pytestmark = pytest.mark.django_db

LIST = "releases_artifactbundle_changelist"
PAGE = "releases_artifactbundle_change"
DELETE = "admin:releases_artifactbundle_delete"
State = ArtifactBundle.State


@pytest.fixture
def viewer() -> Client:
    return client_of("viewer")


@pytest.fixture
def maintainer() -> Client:
    return client_of("maintainer", "mia")


def test_the_list_tells_what_is_there(viewer: Client) -> None:
    project = make_project(name="Shop pages")
    make_bundle(project, "shop@1", dist="web-7", file_count=6, size=3 << 20)
    make_bundle(project, state=State.ERROR, detail="This is no ZIP.")
    html = page(viewer, LIST)
    for told in ("Shop pages", "shop@1", "web-7", "ready", "failed", "This is no ZIP."):
        assert told in html
    assert "3.0\xa0MB" in html


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ({"q": "shop@1"}, "shop@1", "shop@2"),
        ({"state__exact": "error"}, "shop@2", "shop@1"),
    ],
)
def test_the_list_is_narrowed(
    viewer: Client, query: dict[str, str], shown: str, hidden: str
) -> None:
    make_bundle(version="shop@1")
    make_bundle(version="shop@2", state=State.ERROR)
    html = page(viewer, LIST, **query)
    assert shown in html and hidden not in html


@pytest.mark.parametrize("bundles", [1, 5])
def test_the_list_costs_a_fixed_number_of_queries(
    viewer: Client, bundles: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    project = make_project()
    for number in range(bundles):
        make_bundle(project, f"shop@{number}")
    page(viewer, LIST)
    # Session, person, permissions (2), projects of the filter, dead letters, bundles.
    with django_assert_num_queries(7):
        page(viewer, LIST)


def test_the_page_shows_the_files(viewer: Client) -> None:
    bundle = make_bundle(version="shop@1")
    make_artifact(bundle, "~/a.js", debug_id=DEBUG_ID, source_map_url="~/maps/a.js.map")
    make_artifact(bundle, "~/maps/a.js.map", b"1" * 2048)
    html = page(viewer, PAGE, bundle.pk)
    for told in ("shop@1", "~/a.js", "map at ~/maps/a.js.map", DEBUG_ID, "source map"):
        assert told in html
    assert "2.0\xa0KB" in html


@pytest.mark.parametrize("files", [1, 5])
def test_the_page_costs_a_fixed_number_of_queries(
    viewer: Client, files: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bundle = make_bundle()
    for number in range(files):
        make_artifact(bundle, f"~/{number}.js")
    page(viewer, PAGE, bundle.pk)
    # Session, person, permissions (2), bundle, ids, files, dead letters.
    with django_assert_num_queries(8):
        page(viewer, PAGE, bundle.pk)


def test_many_files_have_pages(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "FILES_PER_PAGE", 2)
    bundle = make_bundle()
    for name in "abc":
        make_artifact(bundle, f"~/{name}.js")
    first, second = (page(viewer, PAGE, bundle.pk, page=n) for n in (1, 2))
    assert "~/a.js" in first and "~/c.js" not in first and "Next" in first
    assert "~/c.js" in second and "~/a.js" not in second and "Previous" in second


@pytest.mark.parametrize("asked", ["B.js", DEBUG_ID])
def test_a_file_is_searched_for(viewer: Client, asked: str) -> None:
    bundle = make_bundle()
    make_artifact(bundle, "~/a.js")
    make_artifact(bundle, "~/b.js", debug_id=DEBUG_ID)
    html = page(viewer, PAGE, bundle.pk, q=asked)
    assert "~/b.js" in html and "~/a.js" not in html


@pytest.mark.parametrize("query", [{"q": "a\0b"}, {"page": "x"}, {"page": "0"}])
def test_a_wrong_question_shows_the_first_files(
    viewer: Client, query: dict[str, str]
) -> None:
    bundle = make_bundle()
    make_artifact(bundle, "~/a.js")
    assert "~/a.js" in page(viewer, PAGE, bundle.pk, **query)


def test_an_error_is_told_and_markup_is_text(viewer: Client) -> None:
    bundle = make_bundle(state=State.ERROR, detail="<b>No</b> ZIP.", dist="<i>")
    html = page(viewer, PAGE, bundle.pk)
    assert "&lt;b&gt;No&lt;/b&gt; ZIP." in html
    assert "<i>" not in html


def test_a_bundle_that_is_gone_says_so(viewer: Client) -> None:
    response = viewer.get(reverse(f"admin:{PAGE}", args=[7]))
    assert response.status_code == 404


def test_a_maintainer_deletes_a_bundle(maintainer: Client) -> None:
    bundle = make_bundle(file_count=1)
    make_artifact(bundle, "~/a.js")
    where = reverse(DELETE, args=[bundle.pk])
    assert where in page(maintainer, PAGE, bundle.pk)
    assert str(bundle) in maintainer.get(where).content.decode()
    maintainer.post(where, {"post": "yes"})
    assert not Artifact.objects.exists() and not ArtifactBundle.objects.exists()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == ("mia", "deleted")


def test_others_do_not_delete_and_nobody_changes() -> None:
    bundle = make_bundle()
    where = reverse(DELETE, args=[bundle.pk])
    responder = client_of("responder")
    assert where not in page(responder, PAGE, bundle.pk)
    assert responder.post(where, {"post": "yes"}).status_code == 403
    add = reverse("admin:releases_artifactbundle_add")
    assert client_of("owner").get(add).status_code == 403


def test_the_page_of_the_release_leads_to_them(viewer: Client) -> None:
    bundle = make_bundle(version="shop@1")
    make_bundle(version="shop@2")
    assert bundle.release is not None
    html = page(viewer, "releases_release_change", bundle.release.pk)
    where = f"{reverse('admin:' + LIST)}?release__id__exact={bundle.release.pk}"
    assert where in html and "1 source map bundle<" in html
    shown = viewer.get(where).content.decode()
    assert "shop@1" in shown and "shop@2" not in shown


def test_a_release_without_source_maps_says_so(viewer: Client) -> None:
    bundle = make_bundle(version="shop@1")
    release = bundle.release
    assert release is not None
    bundle.delete()
    assert "no source maps" in page(viewer, "releases_release_change", release.pk)
