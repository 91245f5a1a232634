"""Monitors of periodic jobs: check-ins in, overdue runs found, issues out."""
