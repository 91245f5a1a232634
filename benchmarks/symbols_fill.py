"""Uploads maps, or puts browser events that hit them into the inbox; for symbols.py.

python -m benchmarks.symbols_fill '{"step": "upload" | "none" | "random" | "sites", …}'
"""

import json
import random
import sys
import uuid
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import django

django.setup()

import zstandard  # noqa: E402
from django.core.files.storage import storages  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks.make_workload import browser_body, zipf  # noqa: E402
from benchmarks.symbols_maps import Build, build  # noqa: E402
from issues.models import InboxEnvelope  # noqa: E402
from issues.sealed_envelopes import Sender, seal_envelope  # noqa: E402
from releases.models import Artifact, ArtifactBundle, StoredFile  # noqa: E402
from tenants.blobs import content_name  # noqa: E402
from tenants.models import Project, ProjectKey  # noqa: E402

FRAMES = 8
SITES = 300
SENDER = Sender("203.0.113.9", "benchmark", "https://shop.example.com", "")

Frames = list[dict[str, Any]]


def upload(project: Project, builds: list[Build]) -> None:
    bundle = ArtifactBundle.objects.create(
        project=project, checksum=uuid.uuid4().hex, state=ArtifactBundle.State.OK
    )
    kinds = Artifact.Kind
    for made in builds:
        for kind, url, data in (
            (kinds.MINIFIED, made.url, made.script),
            (kinds.SOURCE_MAP, f"{made.url}.map", made.source_map),
        ):
            name = content_name("artifacts", data)
            storages["blobs"].save(name, BytesIO(data))
            stored = StoredFile.objects.create(name=name, size=len(data), written=True)
            Artifact.objects.create(
                bundle=bundle,
                project=project,
                stored=stored,
                kind=kind,
                url=f"~/{url}",
                debug_id=made.debug_id,
            )


def stack(rng: random.Random, made: Build) -> Frames:
    """Frames at random places of a script."""
    return [
        {"function": "e", "in_app": True, "lineno": line, "colno": column}
        for line, column in rng.choices(made.places, k=FRAMES)
    ]


def event(
    rng: random.Random, made: Build, frames: Frames, site: int, tenant: int
) -> dict[str, Any]:
    """The browser event of the load generator with frames of the script."""
    body = browser_body(rng, site, tenant)
    file = f"https://shop-{tenant}.example.com/{made.url}"
    stack = {"frames": [{**frame, "filename": file} for frame in frames]}
    body["exception"]["values"][0]["stacktrace"] = stack
    image = {"type": "sourcemap", "code_file": file, "debug_id": str(made.debug_id)}
    return {
        **body,
        "event_id": uuid.UUID(int=rng.getrandbits(128)).hex,
        "timestamp": datetime.now(UTC).isoformat(),
        "debug_meta": {"images": [image]},
    }


def put(key: ProjectKey, bodies: list[dict[str, Any]]) -> None:
    rows = []
    for body in bodies:
        payload = b'{}\n{"type":"event"}\n' + json.dumps(body).encode() + b"\n"
        rows.append(
            InboxEnvelope(
                project_id=key.project_id,
                key_id=key.pk,
                kind="envelope",
                received=timezone.now(),
                size=len(payload),
                body=seal_envelope(SENDER, zstandard.compress(payload)),
            )
        )
    InboxEnvelope.objects.bulk_create(rows, batch_size=500)


def random_places(
    rng: random.Random, builds: list[Build], count: int
) -> list[dict[str, Any]]:
    """Each frame stands where none has stood before, more or less.

    A fingerprint keeps them in 300 issues: what a new issue costs is not asked here.
    """
    tenant = zipf(rng, 1500)
    bodies = []
    for _ in range(count):
        made, site = rng.choice(builds), rng.randrange(SITES)
        body = event(rng, made, stack(rng, made), site, tenant())
        bodies.append({**body, "fingerprint": [f"site-{site}"]})
    return bodies


def fault_sites(
    rng: random.Random, builds: list[Build], count: int
) -> list[dict[str, Any]]:
    """300 faults, some often and most seldom, as in production."""
    site, tenant = zipf(rng, SITES), zipf(rng, 1500)
    faults = [(made, stack(rng, made)) for made in rng.choices(builds, k=SITES)]
    bodies = []
    for _ in range(count):
        number = site()
        bodies.append(event(rng, *faults[number], number, tenant()))
    return bodies


def main() -> None:
    told = json.loads(sys.argv[1])
    step = told["step"]
    builds = [build(number, told["map_bytes"]) for number in range(told["maps"])]
    if step == "upload":
        call_command("migrate", verbosity=0)
        for slug in ("maps", "none"):
            project = Project.objects.create(name=slug, slug=slug)
            ProjectKey.objects.create(project=project)
        upload(Project.objects.get(slug="maps"), builds)
        sizes = [len(made.source_map) for made in builds]
        scripts = [len(made.script) for made in builds]
        told = {
            "map": sum(sizes) / len(sizes),
            "script": sum(scripts) / len(scripts),
        }
        print(json.dumps(told))
        return
    slug = "none" if step == "none" else "maps"
    key = ProjectKey.objects.get(project__slug=slug)
    make = random_places if step == "random" else fault_sites
    put(key, make(random.Random(told["seed"]), builds, told["events"]))


if __name__ == "__main__":
    main()
