"""Writes the small super-resolution models of tests/cli/upscale.case: SRVGGNetCompact with random
weights, so small that the result is the enlarged picture and a little texture."""
import json, struct, sys
import numpy as np

def write(path, seed, scale, nf=4, nconv=2):
    rng = np.random.default_rng(seed)
    tensors = {}
    def conv(index, i, o, size):
        tensors[f"body.{index}.weight"] = rng.normal(0, size, (o, i, 3, 3))
        tensors[f"body.{index}.bias"] = rng.normal(0, size / 10, o)
    conv(0, 3, nf, 0.2)
    tensors["body.1.weight"] = np.full(nf, 0.2)
    for k in range(nconv):
        conv(2 * k + 2, nf, nf, 0.2)
        tensors[f"body.{2 * k + 3}.weight"] = np.full(nf, 0.2)
    conv(2 * nconv + 2, nf, 3 * scale * scale, 0.03)
    header, at = {}, 0
    for name, value in tensors.items():
        size = value.size * 4
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as to:
        to.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            to.write(value.astype("<f4").tobytes())

write("tests/reference/upscale/a.safetensors", 1, 4)
write("tests/reference/upscale/b.safetensors", 2, 4)
write("tests/reference/upscale/x2.safetensors", 3, 2)
