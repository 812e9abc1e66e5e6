"""What a fill reports about itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..geometry import missing_range_deg
from ..joint_model.model import JointModel
from ..tilt_series import TiltSeries
from .events import SWEEPS, FillOptions
from .job import Job
from .one_method import card_of


def _shares(stages: Mapping[str, float]) -> dict[str, float]:
    total = sum(stages.values()) or 1.0
    return {stage: round(seconds / total, 4) for stage, seconds in stages.items()}


def report_of(
    series: TiltSeries,
    options: FillOptions,
    job: Job,
    model: JointModel | None,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Say what ran and with which numbers, ready for JSON; `seconds` by method."""
    angles = series.angles_deg
    report: dict[str, Any] = {
        "methods": list(options.methods),
        "sweeps": {m: options.sweeps(m) for m in options.methods if m in SWEEPS},
        "tvm_steps": options.tvm_steps,
        "stop": options.stop,
        "sweeps_taken": {m: [min(n), max(n)] for m, n in job.taken.items()},
        "slices": list(options.slices or (0, series.height)),
        "geometry": {
            "n_tilts": series.n_tilts,
            "angles_deg": [round(float(angle), 4) for angle in angles],
            "missing_range_deg": round(missing_range_deg(angles), 3),
            "axis_shift_px": series.axis_shift_px,
            "axis_deg": series.axis_deg,
            "pixel_nm": series.pixel_nm,
        },
        "normalisation": job.normalisation.to_dict(),
        "noise_over_density": float(job.scales.noise),
        "projections": {
            m: "main memory" if card_of(m, model, options) is None else "CUDA"
            for m in options.methods
        },
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "share_of_stage": _shares(job.stages),
    }
    if model is not None:
        report["model"] = {
            "name": model.model.name,
            "sha256": dict(model.model.sha256),
            "provider": model.provider,
            "precision": model.model.precision(model.provider),
            "device_asked": options.device,
        }
    return report
