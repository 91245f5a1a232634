"""Incidents: opened once per cause, with a clock that runs from detection.

``clock`` reads the clock (pure), ``steps`` are what people and the system do,
``telling`` says it in channels, ``reacting`` follows deploys, rollbacks and rates.
"""
