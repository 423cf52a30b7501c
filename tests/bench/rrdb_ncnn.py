"""RRDBNet as ncnn's own files, for peers.py: pnnx, which converts the other networks, does not come
to an end with its 69 dense blocks."""
import struct

MAGIC = 7767517


class Writer:
    """Layers in order; a blob that several read passes through a Split, as ncnn wants it."""

    def __init__(self):
        self.layers, self.uses, self.weights = [], {}, []

    def add(self, kind, inputs, parameters=''):
        for x in inputs:
            self.uses[x] = self.uses.get(x, 0) + 1
        self.layers.append((kind, inputs, parameters))
        return len(self.layers) - 1

    def conv(self, x, state, name, slope=None):
        weight, bias = (state[f'{name}.{part}'].float().contiguous() for part in ('weight', 'bias'))
        self.weights += [struct.pack('<I', 0), weight.numpy().tobytes(), bias.numpy().tobytes()]
        activation = '' if slope is None else f' 9=2 -23310=1,{slope}'
        return self.add('Convolution', [x], f'0={weight.shape[0]} 1=3 4=1 5=1 6={weight.numel()}' + activation)

    def scaled_sum(self, x, y, scale):
        return self.add('Eltwise', [x, y], f'0=1 -23301=2,1.0,{scale}')

    def save(self, base):
        lines, blobs, left = [], 0, {}
        for i, (kind, inputs, parameters) in enumerate(self.layers):
            names = [left[x].pop() for x in inputs]
            out = 'in0' if kind == 'Input' else 'out0' if i == len(self.layers) - 1 else f'b{i}'
            lines.append(f"{kind} layer{i} {len(names)} 1 {' '.join(names + [out])} {parameters}".rstrip())
            count = self.uses.get(i, 0)
            blobs += 1
            left[i] = [out] if count <= 1 else [f'b{i}_{k}' for k in range(count)]
            if count > 1:
                lines.append(f"Split split{i} 1 {count} {' '.join([out] + left[i])}")
                blobs += count
        with open(base + '.param', 'w') as file:
            file.write('\n'.join([str(MAGIC), f'{len(lines)} {blobs}'] + lines) + '\n')
        with open(base + '.bin', 'wb') as file:
            file.write(b''.join(self.weights))


def dense(net, x, state, name):
    seen = [x]
    for i in range(1, 6):
        together = net.add('Concat', list(seen)) if i > 1 else x
        seen.append(net.conv(together, state, f'{name}.conv{i}', 0.2 if i < 5 else None))
    return net.scaled_sum(x, seen[5], 0.2)


def write(state, blocks, base):
    """The weights `state` of networks_torch.RrdbNet, to base.param and base.bin."""
    net = Writer()
    first = net.conv(net.add('Input', []), state, 'conv_first')
    x = first
    for b in range(blocks):
        y = x
        for k in (1, 2, 3):
            y = dense(net, y, state, f'body.{b}.rdb{k}')
        x = net.scaled_sum(x, y, 0.2)
    x = net.scaled_sum(first, net.conv(x, state, 'conv_body'), 1.0)
    for up in ('conv_up1', 'conv_up2'):
        x = net.conv(net.add('Interp', [x], '0=1 1=2.0 2=2.0'), state, up, 0.2)
    net.conv(net.conv(x, state, 'conv_hr', 0.2), state, 'conv_last')
    net.save(base)
