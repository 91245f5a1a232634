import threading

import pytest
from django.db import transaction

from issues import families, merging
from issues.models import Issue, IssueStats
from tests.background import in_background
from tests.factories import ANNA, make_issue, make_project

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_merge_counts_what_a_running_batch_still_adds() -> None:
    project = make_project()
    root = make_issue(project, stats={"events": 10})
    other = make_issue(project, stats={"events": 5})

    with transaction.atomic():
        families.hold()
        # The batch takes the other issue for one that stands for itself …
        merge = in_background(lambda: merging.merge(root, [other], ANNA))
        merge.join(0.3)
        waited = merge.is_alive()
        # … and adds its events late.
        IssueStats.objects.filter(pk=other.pk).update(events=8)
    merge.join(10)

    assert waited
    assert IssueStats.objects.get(pk=root.pk).events == 18


def test_a_batch_that_begins_during_a_merge_sees_it() -> None:
    project = make_project()
    root, other = make_issue(project), make_issue(project)
    seen: list[int | None] = []

    def batch() -> None:
        with transaction.atomic():
            families.hold()
            seen.append(Issue.objects.get(pk=other.pk).merged_into_id)

    with transaction.atomic():
        merging.merge(root, [other], ANNA)
        thread = in_background(batch)
        thread.join(0.3)
        assert seen == []
    thread.join(10)

    assert seen == [root.pk]


def test_batches_do_not_wait_for_each_other() -> None:
    done = threading.Event()

    def batch() -> None:
        with transaction.atomic():
            families.hold()
            done.set()

    with transaction.atomic():
        families.hold()
        thread = in_background(batch)
        assert done.wait(10)
    thread.join(10)
