"""Dead letters: what digest could not read, and the way back."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from issues import deadletters
from issues.letter_contents import contents_of
from issues.models import DeadLetter
from tenants.audit import Actor
from tenants.audited import EndlessPaginator, ReadOnlyAdmin, may, row_id
from tenants.models import Project


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    paginator = EndlessPaginator
    list_display = ("failed_at", "error", "project", "kind", "bytes", "attempts")
    list_display_links = ("failed_at", "error")
    list_filter = ("kind",)
    search_fields = ("error",)
    ordering = ("-id",)
    actions = ("digest_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        letters: QuerySet[DeadLetter] = super().get_queryset(request)
        return letters.defer("body", "traceback")

    def get_urls(self) -> list[URLPattern]:
        again = path(
            "<int:letter_id>/again/",
            self.admin_site.admin_view(require_POST(self.again_view)),
            name="issues_deadletter_again",
        )
        return [again, *super().get_urls()]

    def has_again_permission(self, request: HttpRequest) -> bool:
        return may(request, "issues.change_deadletter")

    @admin.display(description="Project", ordering="project_id")
    def project(self, letter: DeadLetter) -> str:
        return f"number {letter.project_id}"

    @admin.display(description="Bytes", ordering="size")
    def bytes(self, letter: DeadLetter) -> str:
        return f"{letter.size:,}"

    @admin.action(description="Digest again", permissions=["again"])
    def digest_again(
        self, request: HttpRequest, queryset: QuerySet[DeadLetter]
    ) -> None:
        ids = list(queryset.order_by().values_list("pk", flat=True))
        moved = deadletters.digest_again(ids, Actor.of(request))
        self.message_user(request, f"Sent {moved} to digest again.", messages.SUCCESS)

    def again_view(self, request: HttpRequest, letter_id: int) -> HttpResponse:
        if not self.has_again_permission(request):
            raise PermissionDenied
        moved = deadletters.digest_again([letter_id], Actor.of(request))
        text = "Sent to digest again." if moved else "This dead letter is gone already."
        messages.success(request, text)
        return HttpResponseRedirect(reverse("admin:issues_deadletter_changelist"))

    def change_view(
        self, request: HttpRequest, object_id: str, *_: Any, **__: Any
    ) -> HttpResponse:
        self.must_view(request)
        letter = DeadLetter.objects.filter(pk=row_id(object_id)).first()
        if letter is None:
            raise Http404("This dead letter is gone: it may have been digested again.")
        context = {
            "letter": letter,
            "project": Project.objects.filter(pk=letter.project_id).first(),
            "contents": contents_of(letter),
            "may_again": self.has_again_permission(request),
            "title": "Dead letter",
            "content_title": f"Dead letter {letter.pk}",
        }
        return self.own_page(request, "issues/dead_letter.html", context)
