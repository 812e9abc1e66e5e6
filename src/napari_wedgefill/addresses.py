"""Addresses such as ``s3://bucket/day1/grid3.zarr``: what lies at one, fetching it, and sending.

fsspec speaks to the store. Nothing is computed on a store: a series is fetched into a folder of
this machine, and its results are sent when they are complete.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from .errors import WedgefillError

#: A scheme has two letters at least: C: is a disk of Windows.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://.*", re.DOTALL)
#: A store that is there answers in less.
CONNECT_SECONDS, READ_SECONDS = 5, 60
#: How often a request is tried.
TRIES = 2
#: Files of a Zarr that say what its arrays are.
ZARR_METADATA = (".zgroup", ".zarray", ".zattrs", ".zmetadata", "zarr.json")


@dataclass(frozen=True, order=True)
class Address:
    """Where something lies that is reached through fsspec.

    Attributes
    ----------
    url : str
        With its scheme, such as ``s3://bucket/series.zarr``; no slash at its end.
    """

    url: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", self.url.rstrip("/"))

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> Address:
        return Address(f"{self.url}/{name}")

    @property
    def name(self) -> str:
        """The last part."""
        return self.url.partition("://")[2].rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """Suffix of the name, with its dot."""
        return PurePosixPath(self.name).suffix


def is_address(text: str) -> bool:
    """Tell whether a text is an address and no path."""
    return _ADDRESS.fullmatch(text) is not None


def read_place(text: str) -> Path | Address:
    """Read a path or an address."""
    return Address(text) if is_address(text) else Path(text)


@dataclass(frozen=True)
class StoredObject:
    """A file at an address: its size in bytes, and what tells that it was changed."""

    n_bytes: int
    state: str


class Store:
    """What lies at an address and below it.

    Parameters
    ----------
    address : Address
        Of a file, a Zarr or a folder; there may be nothing yet.

    Raises
    ------
    WedgefillError
        If a package is missing that its scheme takes, or there is no such scheme.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        with self._tell():
            self._system, self._root = _connect(address)

    @contextmanager
    def _tell(self) -> Iterator[None]:
        """Turn whatever a store answers into one sentence."""
        try:
            yield
        except WedgefillError:
            raise
        # Every store raises errors of its own library, which share no class.
        except Exception as error:
            raise WedgefillError(f"{self.address}: {_explain(error)}") from error

    def list_objects(self) -> dict[str, StoredObject]:
        """List the files below the address, by their names from there, in order.

        Raises
        ------
        WedgefillError
            If the store does not answer, or there is no such bucket.
        """
        with self._tell():
            self._system.invalidate_cache()
            self._check_bucket()
            found = self._system.find(self._root, detail=True)
            return {
                path.removeprefix(self._root).lstrip("/"): StoredObject(
                    int(info["size"]), _tell_state(info)
                )
                for path, info in sorted(found.items())
            }

    def list_zarrs(self) -> list[Address]:
        """List the Zarr groups and arrays below the address; those within one do not count.

        Raises
        ------
        WedgefillError
            As `list_objects`.
        """
        with self._tell():
            self._system.invalidate_cache()
            self._check_bucket()
            found: list[Address] = []
            for folder, folders, _ in self._system.walk(self._root, on_error="omit"):
                inside = folder.removeprefix(self._root).strip("/")
                at = self.address / inside if inside else self.address
                zarrs = [name for name in folders if name.lower().endswith(".zarr")]
                found += [at / name for name in zarrs]
                for name in [*zarrs, *(name for name in folders if name.startswith("."))]:
                    if name in folders:
                        _forget(folders, name)
            return sorted(found)

    def _check_bucket(self) -> None:
        """Raise what a store says of a bucket that is not there, or that cannot be reached.

        Other questions about it are answered with a plain no by some stores.
        """
        bucket = self._root.strip("/").partition("/")[0]
        has_buckets = not {"file", "local", "memory"} & set(_list_protocols(self._system))
        if has_buckets and bucket:
            self._system.info(bucket)

    def read_bytes(self, name: str) -> bytes | None:
        """Read a file below the address; None if it is not there."""
        with self._tell():
            try:
                content: bytes = self._system.cat_file(self._join(name))
            except FileNotFoundError:
                return None
            return content

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file below the address, in place of what is there."""
        with self._tell():
            path = self._join(name)
            self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._system.pipe_file(path, content)

    def remove(self, name: str) -> None:
        """Remove a file or folder below the address, if it is there."""
        with self._tell():
            self._system.invalidate_cache()
            path = self._join(name)
            if self._system.exists(path):
                self._system.rm(path, recursive=True)

    def check_writable(self) -> None:
        """Raise `WedgefillError` if nothing can be written here: before time is spent."""
        with self._tell():
            self._check_bucket()
        self.write_bytes(".wedgefill-probe", b"")
        self.remove(".wedgefill-probe")

    def send(self, source: Path, name: str) -> None:
        """Send a file, or a folder with all that is in it, to a name below the address."""
        with self._tell():
            files = [path for path in sorted(source.rglob("*")) if path.is_file()]
            inside = [f"{name}/{path.relative_to(source).as_posix()}".lstrip("/") for path in files]
            if source.is_file():
                files, inside = [source], [name]
            remote = [self._join(one) for one in inside]
            for folder in sorted({path.rpartition("/")[0] for path in remote}):
                self._system.makedirs(folder, exist_ok=True)
            self._system.put([str(path) for path in files], remote)

    def fetch(self, folder: Path, *, only_outline: bool = False) -> Path:
        """Fetch the Zarr at the address into a folder of this machine.

        Parameters
        ----------
        folder : Path
            Receives a folder of the Zarr's name.
        only_outline : bool
            Leave out the chunks of arrays with more than one dimension: what the series is can be
            told from the rest.

        Returns
        -------
        Path
            Of the Zarr.

        Raises
        ------
        WedgefillError
            If there is nothing at the address, or the store does not answer.
        """
        objects = self.list_objects()
        if not objects:
            raise WedgefillError(
                f"{self.address}: there is nothing at this address; check its spelling, and "
                "whether you may read it."
            )
        names = list(objects)
        if only_outline:
            names = self._leave_out_chunks(names)
        target = folder / self.address.name
        for name in names:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
        with self._tell():
            self._system.get(
                [self._join(name) for name in names], [str(target / name) for name in names]
            )
        return target

    def _leave_out_chunks(self, names: list[str]) -> list[str]:
        large: list[str] = []
        for name in names:
            place, _, file = name.rpartition("/")
            if file in (".zarray", "zarr.json"):
                content = json.loads(self.read_bytes(name) or b"{}")
                if len(content.get("shape") or ()) > 1:
                    large.append(f"{place}/".lstrip("/"))
        return [
            name
            for name in names
            if name.rpartition("/")[2] in ZARR_METADATA or not name.startswith(tuple(large))
        ]

    def _join(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root


def measure_state(address: Address) -> str:
    """Return what changes when anything at an address is changed, without reading it."""
    digest = hashlib.sha256()
    for name, found in Store(address).list_objects().items():
        digest.update(f"{name}\0{found.n_bytes}\0{found.state}\n".encode())
    return digest.hexdigest()


def _connect(address: Address) -> tuple[Any, str]:
    if find_spec("fsspec") is None:
        raise WedgefillError(
            f"{address}: addresses need fsspec, which is not installed; add it with "
            "pip install 'napari-wedgefill[cluster]'."
        )
    from fsspec.core import url_to_fs

    options: dict[str, Any] = {"use_listings_cache": False}
    if address.url.startswith(("s3://", "s3a://")):
        options["config_kwargs"] = {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "retries": {"max_attempts": TRIES},
        }
    system, root = url_to_fs(address.url, **options)
    if hasattr(system, "retries"):
        system.retries = TRIES  # s3fs tries again on its own, too, with longer and longer breaks
    return system, str(root).rstrip("/")


def _list_protocols(system: Any) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


def _forget(folders: Any, name: str) -> None:
    """Take a name out of what a walk gives, so that it does not go there."""
    if isinstance(folders, dict):
        del folders[name]
    else:
        folders.remove(name)


def _tell_state(info: Mapping[str, Any]) -> str:
    """Return what a store says of a version: its ETag, or else when it was written."""
    names = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "created")
    return str(next((info[name] for name in names if info.get(name)), ""))


def _explain(error: BaseException) -> str:
    """Say what a store's error means, and what to do."""
    code = str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
    kinds = {kind.__name__ for one in _follow(error) for kind in type(one).__mro__}
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    if isinstance(error, ImportError):
        return f"a package is missing for this kind of address ({text}); install it."
    if isinstance(error, ValueError) and "Protocol not known" in text:
        return "there is no such kind of address; those of fsspec are known, such as s3://."
    if "NoCredentialsError" in kinds or "Unable to locate credentials" in text:
        return (
            "the store asks who you are, and no credentials were found; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or whatever the store takes."
        )
    if kinds & {"PermissionError"} or code in ("AccessDenied", "403"):
        return f"the store refuses this ({text}); check the credentials and what they allow."
    if kinds & {"FileNotFoundError"} or code in ("NoSuchBucket", "404"):
        return f"it is not there ({text}); check the spelling of the address, bucket included."
    if kinds & {"EndpointConnectionError", "ConnectTimeoutError", "ConnectionError", "TimeoutError",
                "ClientConnectionError", "ClientConnectorError", "gaierror"}:  # fmt: skip
        return (
            "the store does not answer; check the network and the address of its server "
            "(AWS_ENDPOINT_URL)."
        )
    return f"the store could not do this ({type(error).__name__}: {text}); try again."


def _follow(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
