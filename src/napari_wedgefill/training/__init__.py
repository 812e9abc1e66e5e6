"""Training of the joint model: simulated objects and acquisitions, networks, losses, export.

Needs only numpy, scipy, numba, torch, onnx and onnxscript, so that it trains wherever a GPU is.
"""
