"""Vectors of slices inside compiled kernels.

Left to the compiler, a loop over slices is guarded by tests for overlapping arrays and wrapped
indices at every voxel, which cost as much as the arithmetic. A kernel says what it wants with the
functions below, VECTOR slices at a time, and LLVM turns them into whatever the processor has: one
AVX-512 register, two of AVX2, four of NEON. Each is rounded in one way only, whichever kernel it is
in and wherever a slice lies, so no result depends on how slices were grouped.

Arrays are flat float32; indices count floats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model
from numpy.typing import NDArray

#: Slices in a vector.
VECTOR = 16
_FLOATS = ir.VectorType(ir.FloatType(), VECTOR)
_UNKNOWN = ir.Constant(_FLOATS, ir.Undefined)
_FIRST = ir.Constant(ir.VectorType(ir.IntType(32), VECTOR), [0] * VECTOR)


class VectorType(types.Type):
    """numba's name for a vector of float32."""

    def __init__(self) -> None:
        super().__init__(name=f"slices{VECTOR}")


@register_model(VectorType)
def _vector_model(manager: Any, kind: Any) -> Any:
    return models.PrimitiveModel(manager, kind, _FLOATS)


_vector = VectorType()


def vectors(lanes: int) -> tuple[int, ...]:
    """Return a tuple whose length, part of its type, tells a kernel the vectors in a tile.

    Kernels are compiled for each type, so loops over a tuple's length are unrolled. A kernel that
    is made for a number by a function around it would do as well, but numba's cache confuses such
    kernels: it names compiled code by function and types.
    """
    return (0,) * (lanes // VECTOR)


@intrinsic
def load(typing: Any, array: Any, i: Any) -> Any:
    """``array[i : i + VECTOR]``."""
    return _vector(array, i), _load


def _load(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    loaded = builder.load(_pointer(context, builder, signature, args))
    loaded.align = 4
    return loaded


@intrinsic
def store(typing: Any, array: Any, i: Any, vector: Any) -> Any:
    """``array[i : i + VECTOR] = vector``."""
    return types.void(array, i, vector), _store


def _store(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    stored = builder.store(args[2], _pointer(context, builder, signature, args))
    stored.align = 4
    return context.get_dummy_value()


def _pointer(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    data = context.make_array(signature.args[0])(context, builder, args[0]).data
    return builder.bitcast(builder.gep(data, [args[1]]), _FLOATS.as_pointer())


@intrinsic
def spread(typing: Any, value: Any) -> Any:
    """Repeat one float32."""
    return _vector(types.float32), _spread


def _spread(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    one = builder.insert_element(_UNKNOWN, args[0], ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, _UNKNOWN, _FIRST)


def _binary(make: Callable[[Any, Any, Any], Any]) -> Any:
    """Return the intrinsic of an operation on two vectors."""

    def operation(typing: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return make(builder, *args)

        return _vector(a, b), generate

    return intrinsic(operation)


add = _binary(lambda builder, a, b: builder.fadd(a, b))
subtract = _binary(lambda builder, a, b: builder.fsub(a, b))
multiply = _binary(lambda builder, a, b: builder.fmul(a, b))
maximum = _binary(lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))
minimum = _binary(lambda builder, a, b: builder.select(builder.fcmp_ordered("<", a, b), a, b))


def _unary(name: str) -> Any:
    """Return the intrinsic of an operation that LLVM has by name."""

    def operation(typing: Any, a: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _call(builder, name, args)

        return _vector(a), generate

    return intrinsic(operation)


floor = _unary("floor")
magnitude = _unary("fabs")


@intrinsic
def store_whole(typing: Any, array: Any, i: Any, vector: Any, end: Any) -> Any:
    """``array[i : i + VECTOR] = vector``, int32; numbers outside ``0..end`` become `end`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.VectorType(ir.IntType(32), VECTOR)
        whole = builder.fptosi(args[2], kind)
        one = builder.insert_element(ir.Constant(kind, ir.Undefined), args[3], ir.IntType(32)(0))
        most = builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), _FIRST)
        inside = builder.icmp_unsigned("<", whole, most)  # below zero is large when unsigned
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.bitcast(builder.gep(data, [args[1]]), kind.as_pointer())
        stored = builder.store(builder.select(inside, whole, most), place)
        stored.align = 4
        return context.get_dummy_value()

    return types.void(array, i, vector, types.int32), generate


@intrinsic
def over_root(typing: Any, a: Any, b: Any) -> Any:
    """``a / sqrt(b)``, within a few units in the last place: estimated and improved."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        below = _call(builder, "sqrt", args[1:], fastmath=("fast",))
        return builder.fdiv(args[0], below, flags=("fast",))

    return _vector(a, b), generate


@intrinsic
def multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once where the processor can."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _call(builder, "fmuladd", args)

    return _vector(a, b, c), generate


def _call(builder: Any, name: str, args: Any, fastmath: tuple[str, ...] = ()) -> Any:
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * len(args))
    full = f"llvm.{name}.v{VECTOR}f32"
    return builder.call(
        cgutils.get_or_insert_function(builder.module, kind, full), args, fastmath=fastmath
    )


@intrinsic
def fetch(typing: Any, array: Any, i: Any) -> Any:
    """Bring ``array[i : i + VECTOR]`` into the second-level cache, and do not wait for it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        number, address = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [address, number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        place = builder.bitcast(builder.gep(data, [args[1]]), address)
        builder.call(prefetch, [place, number(0), number(2), number(1)])
        return context.get_dummy_value()

    return types.void(array, i), generate


def make_aligned_zeros(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros, float32, that begin at a cache line: vectors that straddle two cost twice."""
    n_bytes = 4 * int(np.prod(shape))
    # Not np.zeros: only what np.empty returns may come in large pages.
    raw = np.empty(n_bytes + 64, np.uint8)
    raw[:] = 0
    start = -raw.ctypes.data % 64
    return raw[start : start + n_bytes].view(np.float32).reshape(shape)


@numba.njit(nogil=True, cache=True)
def make_aligned(n: int) -> NDArray[np.float32]:
    """Room for `n` floats that begins at a cache line, inside kernels."""
    room = np.empty(n + VECTOR, np.float32)
    return room[-(room.ctypes.data // 4) % VECTOR :]
