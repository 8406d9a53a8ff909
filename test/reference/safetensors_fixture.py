"""Writes test/fixtures/reference.safetensors and test/fixtures/float64.safetensors with the format's
own library: tensors of the three types that polydomain knows, and one of a type that it does not.

    pip install safetensors numpy && python test/reference/safetensors_fixture.py
"""

import pathlib

import numpy
from safetensors.numpy import save_file

folder = pathlib.Path(__file__).parent.parent / "fixtures"
save_file(
    {
        "weight": numpy.array([[0.5, -1.25, 3e-40], [numpy.inf, 16777217, 0.1]], numpy.float32),
        "größe 大": numpy.array([-(2**31), -1, 0, 2**31 - 1], numpy.int32),
        "units": numpy.array([[0], [2**32 - 1]], numpy.uint32),
        "scalar": numpy.array(7.0, numpy.float32),
        "empty": numpy.zeros((0, 4), numpy.int32),
    },
    folder / "reference.safetensors",
    metadata={"format": "np", "dtype": "no tensor"},
)
save_file({"precise": numpy.array([1.0, 2.0])}, folder / "float64.safetensors")
