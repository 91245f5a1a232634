"""The base of every admin page: unfold's looks, and an audit row for each change."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from tenants.audit import Actor, record

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, StackedInline
    from django.contrib.admin.views.main import ChangeList as BaseChangeList
    from django.core.paginator import Paginator

    BaseAdmin = ModelAdmin[Any]
    BaseStackedInline = StackedInline[Any, Any]
    EndlessPaginator = Paginator
else:
    from unfold.admin import ModelAdmin as BaseAdmin
    from unfold.admin import StackedInline as BaseStackedInline
    from unfold.paginator import InfinitePaginator as EndlessPaginator
    from unfold.views import ChangeList as BaseChangeList

__all__ = [
    "AuditedModelAdmin",
    "BaseChangeList",
    "BaseStackedInline",
    "EndlessPaginator",
    "ReadOnlyAdmin",
    "changes_of",
    "may",
    "row_id",
]

Changes = dict[str, Any]


def changes_of(form: BaseForm) -> Changes:
    """What a valid form changed: each field with ``[before, after]``, no secrets."""
    changes: Changes = {}
    for name in form.changed_data:
        if "password" in name or "secret" in name:
            changes[name] = ["(secret)", "(secret)"]
            continue
        before = form.get_initial_for_field(form.fields[name], name)
        changes[name] = [_readable(before), _readable(form.cleaned_data.get(name))]
    return changes


def _readable(value: Any) -> Any:
    if isinstance(value, Model):
        return value.pk
    if isinstance(value, QuerySet | list | tuple):
        return [_readable(item) for item in value]
    return value


class AuditedModelAdmin(BaseAdmin):
    """Django calls the ``log_`` hooks inside the transaction of each change."""

    list_per_page = 25
    show_full_result_count = False
    compressed_fields = True
    warn_unsaved_form = True
    # Rows that are deleted with one of these, and never alone.
    goes_along: Sequence[type[Model]] = ()

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        changes = changes_of(form)
        for formset in formsets or []:
            changes |= _inline_changes(formset)
        return changes

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        return record(Actor.of(request), "added", obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        return record(Actor.of(request), "changed", obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> Any:
        return [record(Actor.of(request), "deleted", obj, {}) for obj in queryset]

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        # "Delete selected" writes its audit rows before it deletes.
        with transaction.atomic():
            return super().response_action(request, queryset, *args, **kwargs)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Without asking for a right of their own for what ``goes_along``."""
        deleted, counts, needed, protected = super().get_deleted_objects(objs, request)
        needed -= {model._meta.verbose_name for model in self.goes_along}
        return deleted, counts, needed, protected

    def must_view(self, request: HttpRequest) -> None:
        """Raise PermissionDenied where the person may not see these rows."""
        if not self.has_view_permission(request):
            raise PermissionDenied

    def own_page(
        self, request: HttpRequest, template: str, context: Mapping[str, Any]
    ) -> TemplateResponse:
        """A page by a template of ours, inside the admin's frame."""
        frame = self.admin_site.each_context(request)
        return TemplateResponse(request, template, {**frame, **context})

    def typed_form(self, request: HttpRequest) -> Any:
        """The form as it was typed for a preview, of the row that ``?of=`` names."""
        rows = self.model._default_manager
        before = rows.filter(pk=row_id(request.GET.get("of", ""))).first()
        form_class = self.get_form(request, before, change=before is not None)
        return form_class(request.POST, instance=before)

    def form_context(self, request: HttpRequest, object_id: str) -> dict[str, Any]:
        """What a template of ours needs beside the form; ``object_id`` "" to add."""
        return {}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        context = {
            **(extra_context or {}),
            **self.form_context(request, object_id or ""),
        }
        return super().changeform_view(request, object_id, form_url, context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """The audit entries of the object."""
        query = {"object_type": self.opts.label_lower, "object_id": object_id}
        page = reverse("admin:tenants_auditentry_changelist")
        return HttpResponseRedirect(f"{page}?{urlencode(query)}")


def _inline_changes(formset: Any) -> Changes:
    name = formset.model._meta.verbose_name
    changes: Changes = {}
    for obj in formset.new_objects:
        changes[f"{name} {obj.pk}"] = [None, str(obj)]
    for obj, _names in formset.changed_objects:
        form = next(form for form in formset.forms if form.instance is obj)
        changes |= {f"{name} {obj.pk}: {f}": v for f, v in changes_of(form).items()}
    for obj in formset.deleted_objects:
        changes[f"{name} {obj.pk}"] = [str(obj), None]
    return changes


class ReadOnlyAdmin(AuditedModelAdmin):
    """Rows that only the system writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def row_id(text: str) -> int:
    """The primary key that an address or form names; 0, which no row has, for none."""
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def may(request: HttpRequest, permission: str) -> bool:
    """Whether the person behind a request holds ``<app>.<codename>``."""
    return isinstance(request.user, User) and request.user.has_perm(permission)
