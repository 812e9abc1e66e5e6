"""What `model.toml` must hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from .contract import InputContract

_USUAL = InputContract()
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ContractDescription(BaseModel):
    """The numbers of an `InputContract`, in the ranges in which they mean something."""

    model_config = ConfigDict(strict=True, extra="forbid")

    n_rows: int = Field(default=_USUAL.n_rows, ge=4, le=10_000)
    sart_sweeps: int = Field(default=_USUAL.sart_sweeps, ge=1, le=10_000)
    tvm_steps: int = Field(default=_USUAL.tvm_steps, ge=1, le=100_000)
    neighbours: int = Field(default=_USUAL.neighbours, ge=0, le=32)
    multiple: int = Field(default=_USUAL.multiple, ge=1, le=1024)


class ModelDescription(BaseModel):
    """The parts of `model.toml` that are used; others say how the model was made."""

    model_config = ConfigDict(strict=True, extra="ignore")

    name: str = Field(min_length=1, max_length=200)
    summary: str = Field(max_length=1000)
    contract: ContractDescription
    sha256: dict[str, Sha256]
