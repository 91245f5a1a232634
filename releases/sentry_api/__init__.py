"""What sentry-cli calls under /api/0/: releases, their commits and deploys.

A release of sentry-cli spans projects; ours is one row per project and version, so a
call changes the rows of a version and an answer merges them. Errors are
``{"detail": …}``; a 404 makes sentry-cli say that the release does not exist.
"""
