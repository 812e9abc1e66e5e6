"""Compile the CUDA kernels for a GPU that need not be there, and say what the compiler made.

    python -m benchmarks.gpu.compile --out docs/cuda.md

Triton includes NVIDIA's assembler, so neither a GPU nor a driver nor the CUDA toolkit is needed.
This shows that the kernels compile, that no register spills to memory, and how wide their loads
are. How fast they are, only a GPU can tell.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from napari_wedgefill.projector import triton_kernels, triton_tvm
from napari_wedgefill.projector.triton_backend import KINDS, Tiles, choose_tiles

OPERATION = re.compile(r"\s+/\*[0-9a-f]+\*/\s+(?:@!?U?P\d+ )?([A-Z0-9]+)")
#: The table goes between these lines of a page.
BEGIN, END = "<!-- begin gpu_compile -->", "<!-- end gpu_compile -->"
TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
POINTERS = dict.fromkeys(("lowest", "sigma", "boost"), "fp32") | {"tilts": "*i32"}
POINTERS |= dict.fromkeys(
    ("starts", "slopes", "shifts", "cosines", "sines", "half_widths"),
    "*fp64",
)
POINTERS |= dict.fromkeys(
    ("volume", "sinogram", "out", "measured", "weights", "voxel_weights", "dual", "squares"),
    "*fp32",
)
POINTERS |= dict.fromkeys(
    ("x", "p", "prior", "q", "slope", "change", "tau", "radii", "prior_radii"), "*fp32"
)
POINTERS |= dict.fromkeys(("x_out", "p_out", "q_out", "ahead", "rates", "common"), "*fp32")
#: Numbers that are multiples of 16 when the width is.
ALIGNED = ("width", "depth", "n_slices")


#: The kernel that holds back what tilts share has tiles that fit any number of slices.
HOLD_BACK = {
    "COMMON": triton_tvm.LEAST,
    "PIXELS": triton_tvm.PIXELS,
    "LANES": triton_tvm.SHARED_LANES,
}


def steps(n_slices: int) -> dict[str, tuple[Any, dict[str, Any]]]:
    """What total-variation minimisation does in tiles of its own."""
    shared = {
        "COLUMNS": triton_tvm.COLUMNS,
        "LANES": triton_tvm.choose_lanes(n_slices),
    }
    return {
        "dual step, what tilts share": (triton_tvm.hold_back, HOLD_BACK),
        "TVM step": (triton_tvm.descend_voxels, shared | {"PRIOR": False}),
        "TVM step, with a prior": (triton_tvm.descend_voxels, shared | {"PRIOR": True}),
    }


def variants(tiles: Tiles, n_slices: int) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Kernels of the projections and their compile-time settings, by name."""
    unit, even = 4 if n_slices % 4 == 0 else 1, n_slices % tiles.slices == 0
    shared = {"UNIT": unit, "EVEN": even, "LANES": tiles.lanes}
    shared["TWICE"] = tiles.slices > tiles.lanes
    forward = shared | {"WIDE": False}
    forward |= {"TILTS": tiles.tilts, "PIXELS": tiles.pixels}
    adjoint = shared | {"BY_Z": tiles.by_z, "BY_X": tiles.by_x}
    plain = forward | {"KIND": KINDS["INTEGRALS"]}
    return {
        "projection": (triton_kernels.project_rays, plain),
        "weighted residual": (triton_kernels.project_rays, forward | {"KIND": KINDS["RESIDUAL"]}),
        "dual step of TVM": (triton_kernels.project_rays, forward | {"KIND": KINDS["CHANGE"]}),
        "projection, > 8 GB": (triton_kernels.project_rays, plain | {"WIDE": True}),
        "back projection": (triton_kernels.back_project_rays, adjoint | {"DESCEND": False}),
        "descent": (triton_kernels.back_project_rays, adjoint | {"DESCEND": True}),
    }


def compiled(kernel: Any, settings: dict[str, Any], capability: int, warps: int) -> Any:
    """Compile one variant for a compute capability (90 is Hopper), as a launch would."""
    signature = {
        name: "constexpr" if name in settings else POINTERS.get(name, "i32")
        for name in kernel.arg_names
    }
    attributes = {
        (k,): [["tt.divisibility", 16]]
        for k, name in enumerate(kernel.arg_names)
        if name in ALIGNED or signature[name].startswith("*")
    }
    source = ASTSource(
        kernel,
        signature,
        {(kernel.arg_names.index(n),): v for n, v in settings.items()},
        attributes,
    )
    target = GPUTarget("cuda", capability, 32)
    return triton.compile(source, target=target, options={"num_warps": warps})


def inspect(binary: bytes) -> dict[str, Any]:
    """Registers, stack and shared memory of a kernel, and its loads by width in bits."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary)
        file.flush()
        usage = _tool("cuobjdump", "--dump-resource-usage", file.name)
        code = _tool("nvdisasm", "--print-code", file.name)
    loads = Counter(int(m or 32) for m in re.findall(r"\bLDG\.E(?:\.(64|128))?\b", code))
    names = {"registers": "REG", "stack": "STACK", "shared": "SHARED"}
    found = {k: int(re.search(rf"{v}:(\d+)", usage)[1]) for k, v in names.items()}
    loop = innermost(code)
    return found | {
        "spills": len(re.findall(r"\b(?:LDL|STL)\b", code)),
        "loads": dict(sorted(loads.items())),
        "loop": len(loop),
    }


def innermost(code: str) -> list[str]:
    """Operations of the loop that does the work: the shortest one that loads anything."""
    lines = code.splitlines()
    labels = {m[1]: k for k, line in enumerate(lines) if (m := re.match(r"(\.L_x_\d+):", line))}
    loops = []
    for k, line in enumerate(lines):
        jump = re.search(r"BRA.*`\((\.L_x_\d+)\)", line)
        if jump and labels[jump[1]] < k:
            found = (OPERATION.match(body) for body in lines[labels[jump[1]] : k + 1])
            loops.append([m[1] for m in found if m])
    return min((body for body in loops if "LDG" in body), key=len)


def _tool(name: str, *arguments: str) -> str:
    ran = subprocess.run([TOOLS / name, *arguments], capture_output=True, text=True, check=True)
    return ran.stdout


def survey(capability: int, slice_counts: tuple[int, ...]) -> list[dict[str, Any]]:
    """Compile every variant for some numbers of slices and describe what came out."""
    rows = []
    for n_slices in slice_counts:
        tiles = choose_tiles(n_slices)
        for name, (kernel, settings) in variants(tiles, n_slices).items():
            made = compiled(kernel, settings, capability, tiles.warps)
            samples = tiles.tilts * tiles.pixels if "TILTS" in settings else tiles.by_z * tiles.by_x
            row = {"kernel": name, "slices": n_slices, "tiles": tiles}
            row["updates_a_thread"] = samples * tiles.slices / (32 * tiles.warps)
            rows.append(row | inspect(made.asm["cubin"]))
            print(rows[-1], flush=True)
        for name, (kernel, settings) in steps(n_slices).items():
            is_shared = kernel is triton_tvm.hold_back
            warps = (
                triton_tvm.SHARED_WARPS if is_shared else triton_tvm.choose_warps(settings["LANES"])
            )
            made = compiled(kernel, settings, capability, warps)
            row = {"kernel": name, "slices": n_slices, "tiles": replace(tiles, warps=warps)}
            # Voxels, or pixels.
            row["updates_a_thread"] = settings["LANES"] / (32 * warps)
            if is_shared:
                row["updates_a_thread"] *= settings["PIXELS"]
            rows.append(row | inspect(made.asm["cubin"]))
            print(rows[-1], flush=True)
    return rows


def table(rows: list[dict[str, Any]], capability: int) -> str:
    """Return the survey as Markdown."""
    lines = [
        f"Printed by `benchmarks/gpu/compile.py` for compute capability {capability / 10:.1f} with "
        f"Triton {triton.__version__}; no GPU was involved. Instructions are those of the "
        "innermost loop, divided by the updates that one thread does in it (an update is two "
        "multiply-adds; in steps of TVM, a voxel or a pixel).",
        "",
        "| kernel | slices | warps | registers per thread | spills | shared memory (bytes) "
        "| 16-byte loads | instructions per update |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        lines.append(
            f"| {r['kernel']} | {r['slices']} | {r['tiles'].warps} | {r['registers']} "
            f"| {r['spills']} | {r['shared']} | {r['loads'].get(128, 0)} of "
            f"{sum(n for width, n in r['loads'].items() if width != 64)} "
            f"| {r['loop'] / r['updates_a_thread']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Compile the projection kernels and print the table; with --out, write it too."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--capability", type=int, default=90, help="90 is Hopper (H100, H200)")
    parser.add_argument("--slices", type=int, nargs="+", default=[512, 64, 8])
    parser.add_argument("--out", type=Path, help="page with the lines to write between")
    given = parser.parse_args(arguments)
    text = table(survey(given.capability, tuple(given.slices)), given.capability)
    print(text)
    if given.out is not None:
        before, _, rest = given.out.read_text().partition(BEGIN)
        given.out.write_text(f"{before}{BEGIN}\n{text}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
