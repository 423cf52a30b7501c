"""LPIPS 0.1 (VGG16) by torch, written from the paper: tests/reference/lpips.

python3 make_lpips.py (in tests/reference; needs torch and PIL). The weights are models/vgg16. Pairs:
a photograph of ../metrics against its blurred copy (its figure is from elsewhere, see there), and
odd cuts of the photograph and of its noisy copy. Features are those of a small cut."""
import json
import struct

import numpy
import torch
import torch.nn.functional as F
from PIL import Image

WEIGHTS = '../../models/vgg16.safetensors'
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SHIFT, SCALE = [-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]
DEPTH = [2, 2, 3, 3, 3]
CUT = (101, 40, 162, 85)


def read_weights(path):
    with open(path, 'rb') as f:
        size, = struct.unpack('<Q', f.read(8))
        head, data = json.loads(f.read(size)), f.read()
    head.pop('__metadata__')
    part = {k: data[slice(*v['data_offsets'])] for k, v in head.items()}
    return {k: torch.from_numpy(numpy.frombuffer(part[k], numpy.float16).astype(numpy.float64)
                                .reshape(head[k]['shape'])) for k in head}


def features(w, x):
    out, index = {}, 0
    for block, depth in enumerate(DEPTH):
        if block:
            x, index = F.max_pool2d(x, 2), index + 1
        for k in range(depth):
            x = F.conv2d(x, w['features.%d.weight' % index], w['features.%d.bias' % index], padding=1)
            out['conv%d_%d' % (block + 1, k + 1)] = x
            x = x.relu()
            out['relu%d_%d' % (block + 1, k + 1)] = x
            index += 2
    return out


def tensor(image):
    return torch.from_numpy(numpy.array(image.convert('RGB'))).permute(2, 0, 1)[None].double() / 255


def normalised(x, mean, std):
    return (x - torch.tensor(mean).double().view(1, 3, 1, 1)) / torch.tensor(std).double().view(1, 3, 1, 1)


def lpips(w, a, b):
    fa, fb = (features(w, normalised(2 * tensor(x) - 1, SHIFT, SCALE)) for x in (a, b))
    total = 0
    for i, depth in enumerate(DEPTH):
        name = 'relu%d_%d' % (i + 1, depth)
        ua, ub = (f[name] / (f[name].square().sum(1, keepdim=True).sqrt() + 1e-10) for f in (fa, fb))
        total += F.conv2d((ua - ub).square(), w['lin%d.model.1.weight' % i]).mean().item()
    return total


weights = read_weights(WEIGHTS)
sharp, noisy = (Image.open('metrics/badlands1%s.png' % s) for s in ('', '_noise'))
cuts = [i.crop(CUT) for i in (sharp, noisy)]
for cut, name in zip(cuts, ('cut.png', 'cut_noise.png')):
    cut.save('lpips/' + name)
with open('lpips/lpips.json', 'w') as f:
    json.dump([{'a': '../metrics/badlands1.png', 'b': '../metrics/badlands1_blur.png',
                'lpips_vgg16': 0.3322584331035614},
               {'a': 'cut.png', 'b': 'cut_noise.png', 'lpips_vgg16': lpips(weights, *cuts)}], f, indent=1)
part = features(weights, normalised(tensor(cuts[0].crop((3, 5, 19, 21))), MEAN, STD))
torch.save({n: part[n].float() for n in ('conv1_2', 'conv3_3', 'relu4_3', 'relu5_3')}, 'lpips/features.pth')
with open('lpips/fixture.json', 'w') as f:
    json.dump({'kind': 'lpips', 'weights': '../' + WEIGHTS, 'normalise': {'features': {'mean': MEAN, 'std': STD}},
               'pairs': 'lpips.json', 'features': 'features.pth', 'features_input': 'cut.png',
               'features_crop': [3, 5, 16, 16], 'tolerance': 1e-4}, f, indent=1)
