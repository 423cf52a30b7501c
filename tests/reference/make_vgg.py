"""VGG16 and VGG19, narrow, with random weights, run by torch: tests/reference/forward/vgg*_narrow.

python3 make_vgg.py FOLDER (from tests/reference: forward). The file of vgg16 also has a classifier,
as torchvision's has, which must be ignored."""
import json
import os
import struct
import sys
import zlib

import torch
import torch.nn.functional as F

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
DEPTH = {'vgg16': [2, 2, 3, 3, 3], 'vgg19': [2, 2, 4, 4, 4]}


def png(path, pixels):
    h, w, _ = pixels.shape
    rows = b''.join(b'\0' + bytes(pixels[y].flatten().tolist()) for y in range(h))
    out = b'\x89PNG\r\n\x1a\n'
    for kind, data in ((b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 2, 0, 0, 0)),
                       (b'IDAT', zlib.compress(rows, 9)), (b'IEND', b'')):
        out += struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    with open(path, 'wb') as f:
        f.write(out)


def make(folder, network, width, h, w, layers, seed):
    torch.manual_seed(seed)
    os.makedirs(folder, exist_ok=True)
    pixels = (torch.rand(h, w, 3) * 256).to(torch.uint8)
    png(folder + '/input.png', pixels)
    x = pixels.permute(2, 0, 1)[None].double() / 255
    x = (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    weights, outputs, index, inputs = {}, {}, 0, 3
    for block, depth in enumerate(DEPTH[network]):
        if block:
            x, index = F.max_pool2d(x, 2), index + 1
        for k in range(depth):
            out = width << min(block, 3)
            weight = torch.randn(out, inputs, 3, 3) * (2 / (9 * inputs)) ** 0.5
            bias = torch.randn(out) * 0.1
            weights['features.%d.weight' % index], weights['features.%d.bias' % index] = weight, bias
            x = F.conv2d(x, weight.double(), bias.double(), padding=1)
            outputs['conv%d_%d' % (block + 1, k + 1)] = x
            x = x.relu()
            outputs['relu%d_%d' % (block + 1, k + 1)] = x
            index, inputs = index + 2, out
    if network == 'vgg16':
        weights['classifier.0.weight'] = torch.randn(4, 7)
        weights['classifier.0.bias'] = torch.randn(4)
    torch.save(weights, folder + '/weights.pth')
    torch.save({n: outputs[n].float().contiguous() for n in layers}, folder + '/output.pth')
    fixture = {'kind': 'forward', 'net': {'network': network, 'width': width},
               'input': {'file': 'input.png', 'range': [0.0, 1.0], 'mean': MEAN, 'std': STD},
               'label': None, 'weights': ['weights.pth'],
               'outputs': [{'file': 'output.pth', 'layers': layers}], 'tolerance': 1e-4}
    with open(folder + '/fixture.json', 'w') as f:
        json.dump(fixture, f, indent=1)


make(sys.argv[1] + '/vgg16_narrow', 'vgg16', 2, 37, 33,
     ['relu1_2', 'relu2_2', 'relu3_3', 'relu4_3', 'relu5_3'], 1)
make(sys.argv[1] + '/vgg19_narrow', 'vgg19', 2, 32, 40,
     ['conv5_4', 'relu5_4', 'conv1_2', 'conv3_1', 'relu4_2'], 2)
