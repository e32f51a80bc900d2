"""Networks in the formats of other programs.

- `steps`: what a member of the family does to an image, one operation after the other.
- `onnx_file`: a network or an ensemble as ONNX.
- `keras_file`: a network as a Keras file, and back; `keras_layers`: what such a file's layers are.
"""
