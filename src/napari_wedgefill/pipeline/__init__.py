"""Running the joint model: the input contract, ONNX Runtime sessions, and the pipeline.

Never imports torch. Training shares `contract`, so the networks meet in use what they met there.
"""
