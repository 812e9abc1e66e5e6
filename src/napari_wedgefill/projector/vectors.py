"""The one step that all kernels spend their time in, as vector instructions.

Left to the compiler, the loop over slices is guarded by tests for overlapping arrays and wrapped
indices at every voxel, which cost as much as the arithmetic. LLVM turns these vectors into whatever
the processor has: one AVX-512 register, two of AVX2, four of NEON.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

#: Slices in a vector.
VECTOR = 16
_FLOATS = ir.VectorType(ir.FloatType(), VECTOR)
_UNKNOWN = ir.Constant(_FLOATS, ir.Undefined)
_FIRST = ir.Constant(ir.VectorType(ir.IntType(32), VECTOR), [0] * VECTOR)
# May be fused into one instruction, but not reordered: every slice is rounded alike wherever it is.
_FUSED = ("contract",)


@intrinsic
def accumulate(
    typing: Any, out: Any, o: Any, source: Any, i0: Any, i1: Any, i2: Any, i3: Any, step: Any,
    a0: Any, b0: Any, a1: Any, b1: Any, a2: Any, b2: Any, a3: Any, b3: Any,
) -> Any:  # fmt: skip
    """``out[o] += sum(a * source[i] + b * source[i + step])`` over four taps, VECTOR slices each.

    Arrays are flat float32; indices count floats; weights are float32.
    """
    floats = [types.float32] * 8
    signature = types.void(out, o, source, i0, i1, i2, i3, step, *floats)
    return signature, _accumulate


def _accumulate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    out, o, source, step, weights = args[0], args[1], args[2], args[7], args[8:]
    target = _pointer(context, builder, signature.args[0], out, o)
    total, other = _load(builder, target), None
    for tap, index in enumerate(args[3:7]):
        a, b = (_spread(builder, weight) for weight in weights[2 * tap : 2 * tap + 2])
        lower = _pointer(context, builder, signature.args[2], source, index)
        upper = _pointer(context, builder, signature.args[2], source, builder.add(index, step))
        product = builder.fmul(a, _load(builder, lower), flags=_FUSED)
        total = builder.fadd(product, total, flags=_FUSED)
        product = builder.fmul(b, _load(builder, upper), flags=_FUSED)
        other = product if other is None else builder.fadd(product, other, flags=_FUSED)
    stored = builder.store(builder.fadd(total, other, flags=_FUSED), target)
    stored.align = 4
    return context.get_dummy_value()


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _FLOATS.as_pointer())


def _load(builder: Any, pointer: Any) -> Any:
    loaded = builder.load(pointer)
    loaded.align = 4
    return loaded


def _spread(builder: Any, weight: Any) -> Any:
    one = builder.insert_element(_UNKNOWN, weight, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, _UNKNOWN, _FIRST)


def aligned_zeros(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros, float32, that begin at a cache line: vectors that straddle two cost twice."""
    n_bytes = 4 * int(np.prod(shape))
    raw = np.zeros(n_bytes + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + n_bytes].view(np.float32).reshape(shape)
