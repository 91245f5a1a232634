"""Opens pages of the admin as a person of some role."""

from html.parser import HTMLParser
from typing import Any

from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from tests.factories import make_user

LIST = "admin:issues_issue_changelist"


def client_of(role: str, username: str = "") -> Client:
    """A client that a new person of this role has logged in with."""
    client = Client()
    client.force_login(make_user(username, role=role))
    return client


def page(client: Client, name: str, *args: Any, **query: Any) -> str:
    """The HTML of a page that must be shown."""
    response = client.get(reverse(f"admin:{name}", args=args), query)
    assert response.status_code == 200, response
    return response.content.decode()


def told(response: Any) -> list[str]:
    """The messages that an answer leaves for the next page."""
    return [str(message) for message in get_messages(response.wsgi_request)]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags_in(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """Every element of a page with its attributes, as a browser would see them."""
    parser = _Tags()
    parser.feed(html)
    return parser.found


def buttons(html: str) -> set[str]:
    """What the buttons and openers of dialogs would do."""
    return {
        str(attrs.get("value") or attrs.get("data-opens"))
        for tag, attrs in tags_in(html)
        if tag == "button" and (attrs.get("value") or attrs.get("data-opens"))
    }
