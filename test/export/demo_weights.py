"""Takes the weights out of an exported model, under PyTorch's names: python demo_weights.py MODEL.onnx OUT.safetensors"""
import sys

import onnx
from safetensors.numpy import save_file

model = onnx.load(sys.argv[1])
tensors = {tensor.name: onnx.numpy_helper.to_array(tensor).copy() for tensor in model.graph.initializer if "." in tensor.name and tensor.name.endswith("weight")}
save_file(tensors, sys.argv[2])
