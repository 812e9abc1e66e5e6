"""The one run: prepare, fill, check, measure and report, for every front.

`iter_run` does the work, `iter_run_into` also writes what comes of it into a folder. Fronts only
show and store.
"""
