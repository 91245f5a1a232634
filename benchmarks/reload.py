"""Somebody who keeps reloading the issue list, logged in over HTTP."""

import re
import time

import httpx

from benchmarks.system import System

LIST = "/admin/issues/issue/"
LOGIN = "/admin/login/"


class Reloader:
    """A logged-in session; ``reload`` fetches the list once."""

    def __init__(self, system: System) -> None:
        self.milliseconds: list[float] = []
        self._client = httpx.Client(
            base_url=system.base_url, timeout=30, follow_redirects=True
        )
        form = self._client.get(LOGIN)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
        if found is None:
            raise RuntimeError(f"no log-in form at {LOGIN}: status {form.status_code}")
        page = self._client.post(
            LOGIN,
            params={"next": LIST},
            data={
                "csrfmiddlewaretoken": found[1],
                "username": "admin",
                "password": system.password,
            },
            headers={"Referer": f"{system.base_url}{LOGIN}"},
        )
        if page.status_code != 200 or page.url.path != LIST:
            raise RuntimeError(f"log-in led to {page.url} ({page.status_code})")

    def reload(self) -> None:
        """Fetch the issue list; raises RuntimeError when it is not shown."""
        began = time.monotonic()
        page = self._client.get(LIST)
        self.milliseconds.append((time.monotonic() - began) * 1000)
        if page.status_code != 200:
            raise RuntimeError(f"the issue list answered {page.status_code}")

    def close(self) -> None:
        self._client.close()
