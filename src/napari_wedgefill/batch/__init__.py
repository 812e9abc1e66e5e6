"""Many series on many workers (Dask), and series that grow while the microscope writes them.

`iter_many` hands series to workers, each of which runs `run.folder.iter_run_into`, so results are
those of a single fill, to the byte. `iter_watch` follows a folder that a microscope writes into.
"""
