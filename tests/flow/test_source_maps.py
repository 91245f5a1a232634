"""The unmodified sentry-cli uploads source maps to a running ``manage.py up``."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.flow.sentry_cli import SentryCli

pytestmark = pytest.mark.clients

SOURCES = {
    "price.js": "export const price = (order) => order.lines[0].amount;\n",
    "app.js": 'import { price } from "./price.js";\nprice({ lines: [] });\n',
}
BUNDLES = """
SELECT b.*, p.slug FROM releases_artifactbundle b
JOIN tenants_project p ON p.id = b.project_id
JOIN releases_release r ON r.id = b.release_id
WHERE r.version = %s ORDER BY p.slug
"""
FILES = """
SELECT a.* FROM releases_artifact a
JOIN releases_artifactbundle b ON b.id = a.bundle_id
JOIN releases_release r ON r.id = b.release_id
WHERE r.version = %s ORDER BY a.url
"""
NOTHING = "Nothing to upload, all files are on the server"


def built(cli: SentryCli, packages: Path, directory: Path, marker: str) -> Path:
    """The directory of a build with debug ids; ``marker`` makes it one of its own."""
    for name, text in SOURCES.items():
        (directory / name).write_text(f"{text}// {marker}\nwindow.m = '{marker}';\n")
    dist = directory / "dist"
    esbuild = packages / "node_modules/.bin/esbuild"
    options = ["--bundle", "--minify", "--sourcemap", f"--outdir={dist}"]
    subprocess.run([esbuild, "app.js", *options], cwd=directory, check=True, timeout=60)
    cli.run("sourcemaps", "inject", str(dist))
    return dist


def upload(cli: SentryCli, dist: Path, release: str, *options: str) -> str:
    command = ("sourcemaps", "upload", "--release", release, *options, str(dist))
    return cli.run("--log-level", "info", *command)


def files_of(cli: SentryCli, release: str) -> list[dict[str, Any]]:
    return cli.rows(FILES, release)


def test_an_upload_waits_until_it_is_ready_and_ends_well(
    cli: SentryCli, packages: Path, tmp_path: Path
) -> None:
    told = upload(cli, built(cli, packages, tmp_path, "one"), "maps@1", "--wait")

    assert "File processing complete" in told
    (bundle,) = cli.rows(BUNDLES, "maps@1")
    assert (bundle["slug"], bundle["state"]) == ("cli-web", "ok")
    script, source_map = files_of(cli, "maps@1")
    assert (script["url"], source_map["url"]) == ("~/app.js", "~/app.js.map")
    assert script["debug_id"] == source_map["debug_id"] is not None
    assert script["source_map_url"] == "~/app.js.map"


def test_a_second_upload_sends_no_part(
    cli: SentryCli, packages: Path, tmp_path: Path
) -> None:
    dist = built(cli, packages, tmp_path, "two")
    first = upload(cli, dist, "maps@2", "--wait")
    second = upload(cli, dist, "maps@2", "--wait")

    assert NOTHING not in first
    assert NOTHING in second
    assert len(cli.rows(BUNDLES, "maps@2")) == 1


def test_an_upload_may_be_for_several_projects_and_a_dist(
    cli: SentryCli, packages: Path, tmp_path: Path
) -> None:
    both = ("-p", "cli-web", "-p", "cli-api", "--dist", "web-7", "--wait")
    upload(cli, built(cli, packages, tmp_path, "three"), "maps@3", *both)

    rows = cli.rows(BUNDLES, "maps@3")
    assert [(row["slug"], row["dist"], row["state"]) for row in rows] == [
        ("cli-api", "web-7", "ok"),
        ("cli-web", "web-7", "ok"),
    ]


def test_maps_without_debug_ids_have_their_urls(
    cli: SentryCli, packages: Path, tmp_path: Path
) -> None:
    (tmp_path / "app.js").write_text("console.log(1, 'four');\n")
    esbuild = packages / "node_modules/.bin/esbuild"
    options = ["--minify", "--sourcemap", "--outfile=dist/app.js"]
    subprocess.run([esbuild, "app.js", *options], cwd=tmp_path, check=True, timeout=60)
    prefix = ("--url-prefix", "~/assets", "--wait")
    upload(cli, tmp_path / "dist", "maps@4", *prefix)

    script, source_map = files_of(cli, "maps@4")
    assert (script["url"], script["debug_id"]) == ("~/assets/app.js", None)
    assert script["source_map_url"] == source_map["url"] == "~/assets/app.js.map"


def test_an_upload_to_a_project_that_is_not_there_fails(
    cli: SentryCli, packages: Path, tmp_path: Path
) -> None:
    dist = built(cli, packages, tmp_path, "five")
    done = cli.try_run("sourcemaps", "upload", "-p", "nope", str(dist))

    assert done.returncode == 1
    assert "There is no project 'nope'" in done.stderr


def test_what_is_not_supported_says_so(cli: SentryCli, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.txt"
    mapping.write_text("a.b.C -> d:\n    1:1:void e():1:1 -> f\n")
    identity = ("--uuid", "12345678-1234-4234-8234-1234567890ab")
    done = cli.try_run("upload-proguard", *identity, str(mapping))

    assert done.returncode == 1
    assert "ProGuard mappings are not supported here" in done.stdout
