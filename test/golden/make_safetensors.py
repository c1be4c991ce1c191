"""A file of the safetensors library with one tensor of each type, as PyTorch's and NumPy's writers lay it out."""

import json
import struct
from pathlib import Path

import numpy
from safetensors.numpy import save

tensors = {
    "F64": numpy.array([[1.5, -2.25]], numpy.float64),
    "F32": numpy.array([[1.5, -2.25], [0.1, 3e38]], numpy.float32),
    "F16": numpy.array([1.5, -0.0999755859375, 65504], numpy.float16),
    "I64": numpy.array([-(2**63), 2**63 - 1], numpy.int64),
    "I32": numpy.array([-(2**31), 7], numpy.int32),
    "I16": numpy.array([-(2**15), 7], numpy.int16),
    "I8": numpy.array([-128, 127, 3], numpy.int8),
    "U64": numpy.array([2**64 - 1], numpy.uint64),
    "U32": numpy.array([2**32 - 1], numpy.uint32),
    "U16": numpy.array([2**16 - 1], numpy.uint16),
    "U8": numpy.array([255, 1], numpy.uint8),
    "BOOL": numpy.array([True, False, True], numpy.bool_),
    "scalar": numpy.array(2.5, numpy.float32),
    "empty": numpy.zeros((0, 3), numpy.float32),
    "a name with ümlaut \"quotes\"": numpy.array([1], numpy.float32),
}
data = save(tensors, metadata={"format": "np", "note": "made by the library"})

# NumPy has no bfloat16: the bits of a uint16 tensor are given that type.
(length,) = struct.unpack("<Q", data[:8])
header = json.loads(data[8 : 8 + length])
header["U16"]["dtype"] = "BF16"
header["BF16"] = header.pop("U16")
text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
text += b" " * (-len(text) % 8)
Path(__file__).with_name("library.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
