"""Writes the files that src/golden.test.ts reads, with NumPy (here 1.24): python3 make.py

Every array holds 0, 1, 2, ... in row-major order (bool: its parity), whatever type and order it is stored in.
"""

from pathlib import Path

import numpy

HERE = Path(__file__).parent
TYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]


def counted(shape, dtype):
    values = numpy.arange(numpy.prod(shape, dtype=int)).reshape(shape)
    return (values % 2 if dtype == "b1" else values).astype(dtype)


def save(name, writer, arrays):
    with open(HERE / name, "wb") as file:
        writer(file, **arrays)


every = {}
for code in TYPES:
    every[f"little_{code}"] = counted((3, 2), code).astype(f"<{code}")
    every[f"big_{code}"] = counted((3, 2), code).astype(f">{code}")
    every[f"fortran_{code}"] = numpy.asfortranarray(counted((3, 2, 2), code))
save("types.npz", numpy.savez_compressed, every)
save(
    "shapes.npz",
    numpy.savez,
    {
        "scalar": counted((), "f4"),
        "empty": counted((0, 4), "f4"),
        "empty_fortran": numpy.asfortranarray(counted((0, 4), "f8")),
        "vector": counted((5,), "i8"),
        "deep": numpy.asfortranarray(counted((2, 3, 1, 4), "f4")),
    },
)
save("refused.npz", numpy.savez, {"text": numpy.array(["a", "bc"]), "complex": numpy.ones(2, "c8"), "x": counted((2,), "f4")})
with open(HERE / "version2.npy", "wb") as file:
    numpy.lib.format.write_array(file, counted((2, 3), ">i4"), version=(2, 0))
