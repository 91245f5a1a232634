import pytest

from tenants.models import Project
from tenants.pages import capped_count, page_of
from tests.factories import make_project

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def five() -> None:
    for n in range(5):
        make_project(slug=f"p{n}")


@pytest.mark.parametrize(
    ("number", "slugs", "more"), [(1, ["p0", "p1"], True), (3, ["p4"], False)]
)
def test_a_page_knows_whether_more_follow(
    number: int, slugs: list[str], more: bool
) -> None:
    projects = Project.objects.order_by("slug")

    page = page_of(projects, projects, number, 2)

    assert [project.slug for project in page.rows] == slugs
    assert page.more is more
    assert (page.first, page.last) == (2 * number - 1, 2 * number - 2 + len(slugs))


def test_a_count_ends_at_its_cap() -> None:
    assert capped_count(Project.objects.all(), cap=2) == 2
    assert capped_count(Project.objects.all(), cap=9) == 5
