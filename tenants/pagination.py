"""Pages that stay fast: keyset cursors, no COUNT and no OFFSET."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import F, Field, Model, Q, QuerySet
from django.db.models.fields.tuple_lookups import (
    Tuple,
    TupleGreaterThan,
    TupleLessThan,
)
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

NEWEST = {"newest": "-pk"}


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page starts: after (or, backwards, before) the row with these values."""

    order: str
    values: list[Any]
    backwards: bool

    def encode(self) -> str:
        text = json.dumps([self.order, self.values, self.backwards], default=str)
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, token: str) -> "Cursor":
        """Raises ValueError for what no page ever handed out."""
        padded = token + "=" * (-len(token) % 4)
        match json.loads(base64.urlsafe_b64decode(padded)):
            case [str(order), list(values), bool(backwards)]:
                return cls(order, values, backwards)
        raise ValueError("this is no cursor")


class KeysetPagination(BasePagination):
    """Rows after the last one seen, found in the index of the order.

    A view names its ``orders``: the name that callers use, and the column with a minus
    for falling; the first is the default. Ties are broken by the primary key. ``-name``
    turns an order round. Rows whose column is null are left out of its order.
    """

    page_size: ClassVar[int] = 25
    most: ClassVar[int] = 100

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        self.request, self.view = request, view
        orders = _orders(view)
        self.order = request.query_params.get("ordering") or next(iter(orders))
        self.columns = _columns(orders, self.order)
        cursor = self._cursor()
        size = self._size()
        backwards = cursor is not None and cursor.backwards
        rows = self.read(self._after(queryset, cursor), size + 1)
        more, page = len(rows) > size, rows[:size]
        if backwards:
            page.reverse()
        self.next = self._token(page[-1:], False) if more or backwards else None
        before = more if backwards else cursor is not None
        self.previous = self._token(page[:1], True) if before else None
        return page

    def read(self, queryset: QuerySet[Any], limit: int) -> list[Any]:
        """The first rows of the ordered queryset; one query."""
        return list(queryset[:limit])

    def _cursor(self) -> Cursor | None:
        token = self.request.query_params.get("cursor")
        if not token:
            return None
        message = "This cursor cannot be read: begin without one, then follow next."
        try:
            cursor = Cursor.decode(token)
        except (ValueError, RecursionError, binascii.Error) as error:
            raise ValidationError({"cursor": message}) from error
        if cursor.order != self.order:
            raise ValidationError(
                {"cursor": "This cursor belongs to another ordering: begin without."}
            )
        if len(cursor.values) != len(self.columns):
            raise ValidationError({"cursor": message})
        return cursor

    def _size(self) -> int:
        text = self.request.query_params.get("per_page", str(self.page_size))
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= self.most:
            raise ValidationError({"per_page": f"Give a number from 1 to {self.most}."})
        return int(text)

    def _after(self, queryset: QuerySet[Any], cursor: Cursor | None) -> QuerySet[Any]:
        backwards = cursor is not None and cursor.backwards
        falling = self.falling = self.columns[0].startswith("-") != backwards
        names = [name.removeprefix("-") for name in self.columns]
        fields = [_field(queryset.model, name) for name in names]
        for name, field in zip(names, fields, strict=True):
            if field.null:
                queryset = queryset.filter(**{f"{name}__isnull": False})
        queryset = queryset.order_by(*(f"{'-' * falling}{name}" for name in names))
        if cursor is None:
            return queryset
        values = [_value(f, v) for f, v in zip(fields, cursor.values, strict=True)]
        if len(names) == 1:
            return queryset.filter(
                Q((f"{names[0]}__{'lt' if falling else 'gt'}", values[0]))
            )
        # A row comparison is one range of the order's index; OR would not be.
        compare = TupleLessThan if falling else TupleGreaterThan
        return queryset.filter(compare(Tuple(*map(F, names)), tuple(values)))

    def _token(self, rows: Sequence[Model], backwards: bool) -> str | None:
        if not rows:
            return None
        names = (name.removeprefix("-") for name in self.columns)
        values = [reduce(getattr, name.split("__"), rows[0]) for name in names]
        cursor = Cursor(self.order, values, backwards).encode()
        url = self.request.build_absolute_uri()
        return str(replace_query_param(url, "cursor", cursor))

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.next, "previous": self.previous, "results": data})

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        link = {
            "type": "string",
            "format": "uri",
            "nullable": True,
            "example": "https://rush.example.com/api/v1/…/?cursor=WyJpbXBhY3QiXQ",
        }
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        def parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
            return {
                "name": name,
                "in": "query",
                "required": False,
                "description": description,
                "schema": {"type": "string", **schema},
            }

        found = [
            parameter("cursor", "From the link `next` or `previous` of a page."),
            parameter(
                "per_page",
                "Rows of a page.",
                type="integer",
                minimum=1,
                maximum=self.most,
                default=self.page_size,
            ),
        ]
        names = list(_orders(view))
        if len(names) > 1:
            both = [*names, *(f"-{name}" for name in names)]
            text = "A leading minus turns the order round."
            found.append(parameter("ordering", text, enum=both, default=names[0]))
        return found


def _orders(view: Any) -> Mapping[str, str]:
    return getattr(view, "orders", None) or NEWEST


def _columns(orders: Mapping[str, str], name: str) -> list[str]:
    """The columns of an order, all rising or all falling."""
    column = orders.get(name.removeprefix("-"))
    if column is None:
        raise ValidationError({"ordering": f"Order by one of {', '.join(orders)}."})
    if name.startswith("-"):
        column = column[1:] if column.startswith("-") else f"-{column}"
    sign = "-" if column.startswith("-") else ""
    return [column] if column == f"{sign}pk" else [column, f"{sign}pk"]


def _field(model: type[Model], path: str) -> "Field[Any, Any]":
    *relations, last = path.split("__")
    for name in relations:
        related = model._meta.get_field(name).related_model
        assert isinstance(related, type)
        model = related
    field = model._meta.pk if last == "pk" else model._meta.get_field(last)
    assert isinstance(field, Field)
    return field


def _value(field: "Field[Any, Any]", value: Any) -> Any:
    try:
        return field.to_python(value)
    except (DjangoValidationError, TypeError, ValueError, OverflowError) as error:
        raise ValidationError({"cursor": "This cursor cannot be read."}) from error
