#!/usr/bin/env python3
"""ganx against PyTorch, ONNX Runtime, OpenVINO and ncnn on this machine: float32, the same weights
and inputs, taking turns. Optional: nothing of ganx needs it.

  make peers                                       builds what it runs
  python3 -m venv --system-site-packages DIR       a place for the peers, with torch in the system
  DIR/bin/pip install onnxruntime openvino ncnn pnnx onnx onnxscript

  DIR/bin/python tests/bench/peers.py prepare      makes every network and converts it, once
  DIR/bin/python tests/bench/peers.py forward      inference rows of tests/bench/rows
  DIR/bin/python tests/bench/peers.py steps        whole training steps, against PyTorch
  DIR/bin/python tests/bench/peers.py table FILE...    what -o or --measured kept, as a table in Markdown

Outputs (losses and first steps) are compared before anything is timed, and what disagrees is left
out by name. A peer that is not installed, or cannot take a network, is left out by name too."""
import argparse
import datetime
import importlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, '..', '..')
sys.dont_write_bytecode = True
AGREE = 1e-3  # largest difference over largest magnitude
TURN = 0.25  # seconds that a turn shall take at least, where runs are short
TURN_RUNS = 8  # and the most runs in it

# ---- rows ----


def read_rows(what, options):
    """The rows of that kind as dictionaries: name, family, words, network, w, h, batch, width, blocks."""
    rows = []
    for line in open(options.rows):
        kind, *rest = line.split('#')[0].split() or ['']
        if kind != what or (options.only and not any(re.fullmatch(p, rest[0]) for p in options.only)):
            continue
        name, family, words = rest[0], rest[1], rest[2:]
        flags = dict(zip(words[::2], words[1::2]))
        settings = dict(word.split('=', 1) for flag, word in zip(words, words[1:]) if flag == '--set')
        w, _, h = flags.get('--size', '256').partition('x')
        rows.append({'name': name, 'family': family, 'words': words, 'network': flags.get('--network'),
                     'width': int(flags.get('--width', 64)), 'blocks': int(settings.get('net.blocks', 0)),
                     'batch': int(flags.get('--batch', 1)), 'w': int(w), 'h': int(h or w)})
    return rows


# ---- contenders: each is made from a row's folder, and has outputs() and run(n), milliseconds ----


class Contender:
    def outputs(self):
        raise NotImplementedError

    def once(self):
        raise NotImplementedError

    def run(self, count):
        times = []
        for _ in range(count):
            began = time.perf_counter()
            self.once()
            times.append((time.perf_counter() - began) * 1e3)
        return times

    def close(self):
        pass


class Ganx(Contender):
    """build/tests/bench/forward, a process that waits for its turn."""

    def __init__(self, row, folder, options):
        label = [folder + '/label.raw'] if os.path.exists(folder + '/label.raw') else []
        environment = dict(os.environ, **{k: v for k, v in [pair.split('=') for pair in options.ganx_env]})
        self.folder = folder
        self.process = subprocess.Popen(
            [os.path.join(options.build, 'tests/bench/forward'), folder + '/weights.pth', folder + '/input.raw',
             folder + '/output.raw', f"{row['w']}x{row['h']}", str(options.threads)] + label,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError('forward could not take it')
        self.facts = json.loads(line)

    def outputs(self):
        n, h, w, c = self.facts['output']
        return np.fromfile(self.folder + '/output.raw', np.float32).reshape(n, h, w, c).transpose(0, 3, 1, 2)

    def run(self, count):
        self.process.stdin.write(f'{count}\n')
        self.process.stdin.flush()
        return [float(t) for t in self.process.stdout.readline().split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Torch(Contender):
    kind, compiled, dtype, channels_last = 'eager', False, 'float32', False

    def __init__(self, row, folder, options):
        import torch
        self.torch = torch
        torch.set_num_threads(options.threads)
        net = network_of(row).eval()
        net.load_state_dict(torch.load(folder + '/weights.pth', weights_only=True))
        dtype = getattr(torch, self.dtype)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        self.net = net.to(dtype=dtype, memory_format=layout)
        self.input = [torch.from_numpy(x).to(dtype) for x in inputs_of(row, folder)]
        self.input[0] = self.input[0].to(memory_format=layout)
        if self.compiled:
            self.net = torch.compile(self.net, dynamic=False)

    def once(self):
        with self.torch.inference_mode():
            return self.net(*self.input)

    def outputs(self):
        return self.once().float().numpy()


class TorchChannelsLast(Torch):
    channels_last = True


class TorchCompiled(Torch):
    compiled = True


class TorchBfloat(Torch):
    dtype, channels_last = 'bfloat16', True


class OnnxRuntime(Contender):
    def __init__(self, row, folder, options):
        import onnxruntime
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = options.threads, 1
        settings.add_session_config_entry('session.force_spinning_stop', '1')  # others' turn comes next
        self.session = onnxruntime.InferenceSession(folder + '/net.onnx', settings,
                                                    providers=['CPUExecutionProvider'])
        self.feed = dict(zip(('x', 'label'), inputs_of(row, folder)))

    def once(self):
        return self.session.run(None, self.feed)

    def outputs(self):
        return self.once()[0]


class OpenVino(Contender):
    precision = 'f32'

    def __init__(self, row, folder, options):
        import openvino
        model = openvino.Core().read_model(folder + '/net.onnx')
        self.input = inputs_of(row, folder)
        compiled = openvino.Core().compile_model(model, 'CPU', {
            'INFERENCE_NUM_THREADS': options.threads, 'PERFORMANCE_HINT': 'LATENCY',
            'INFERENCE_PRECISION_HINT': self.precision})
        self.request = compiled.create_infer_request()
        for i, x in enumerate(self.input):
            self.request.set_input_tensor(i, openvino.Tensor(x))

    def once(self):
        self.request.infer()

    def outputs(self):
        self.once()
        return np.array(self.request.get_output_tensor(0).data)


class OpenVinoBfloat(OpenVino):
    precision = 'bf16'


class Ncnn(Contender):
    def __init__(self, row, folder, options):
        import ncnn
        self.ncnn, self.net = ncnn, ncnn.Net()
        o = self.net.opt
        o.num_threads, o.use_vulkan_compute, o.lightmode = options.threads, False, True
        o.use_fp16_packed = o.use_fp16_storage = o.use_fp16_arithmetic = o.use_bf16_storage = False
        base = folder + '/net.ncnn'
        if self.net.load_param(base + '.param') or self.net.load_model(base + '.bin'):
            raise RuntimeError('it cannot read its files')
        self.input = [ncnn.Mat(np.ascontiguousarray(x[0])).clone() for x in inputs_of(row, folder)]

    def once(self):
        with self.net.create_extractor() as extractor:
            for i, x in enumerate(self.input):
                extractor.input(f'in{i}', x)
            code, y = extractor.extract('out0')
            if code:
                raise RuntimeError(f'extract gave {code}')
            return y

    def outputs(self):
        return np.array(self.once())[None]


PEERS = {'torch': Torch, 'torch-channels-last': TorchChannelsLast, 'torch-compile': TorchCompiled,
         'onnxruntime': OnnxRuntime, 'openvino': OpenVino, 'ncnn': Ncnn}
REDUCED = {'torch-bf16': TorchBfloat, 'openvino-bf16': OpenVinoBfloat}

# ---- making networks ----


def network_of(row):
    import networks_torch
    return networks_torch.of_name(row['network'], row['width'], row['blocks'])


def inputs_of(row, folder):
    """(1,c,h,w), and (1,labels) where there is a label."""
    x = np.fromfile(folder + '/input.raw', np.float32).reshape(1, row['h'], row['w'], -1)
    found = [np.ascontiguousarray(x.transpose(0, 3, 1, 2))]
    if os.path.exists(folder + '/label.raw'):
        found.append(np.fromfile(folder + '/label.raw', np.float32).reshape(1, -1))
    return found


def prepare(row, folder):
    """Weights, input, ONNX and ncnn files; nothing where they are there."""
    if os.path.exists(folder + '/done'):
        return
    import torch

    import networks_torch
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(1)
    net = network_of(row)
    x = torch.rand(1, networks_torch.channels_in(row['network']), row['h'], row['w']) * 2 - 1
    inputs = [x, torch.eye(5)[:1]] if row['network'] == 'star_generator' else [x]
    networks_torch.evened(net, *inputs)
    torch.save(net.state_dict(), folder + '/weights.pth')
    x.permute(0, 2, 3, 1).contiguous().numpy().tofile(folder + '/input.raw')
    if len(inputs) > 1:
        inputs[1].numpy().tofile(folder + '/label.raw')
    names = ['x', 'label'][:len(inputs)]
    try:
        warnings.simplefilter('ignore')  # it says that it is the older exporter
        torch.onnx.export(net, tuple(inputs), folder + '/net.onnx', input_names=names, output_names=['y'],
                          dynamo=False, opset_version=17)
    except Exception as why:
        note(f"{row['name']}: no ONNX file: {first_line(why)}")
    try:
        to_ncnn(row, net, inputs, folder)
    except Exception as why:
        note(f"{row['name']}: no ncnn file: {first_line(why)}")
    open(folder + '/done', 'w').close()


def to_ncnn(row, net, inputs, folder):
    if row['network'] == 'rrdbnet':
        import rrdb_ncnn
        rrdb_ncnn.write(net.state_dict(), row['blocks'], folder + '/net.ncnn')
        return
    import pnnx
    import torch
    torch.jit.trace(net, tuple(inputs)).save(folder + '/net.pt')
    shapes = ','.join(str(list(x.shape)).replace(' ', '') for x in inputs)
    program = getattr(pnnx, 'EXEC_PATH', None) or os.path.join(os.path.dirname(sys.executable), 'pnnx')
    subprocess.run([program, 'net.pt', 'inputshape=' + shapes, 'fp16=0'], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


# ---- measuring ----


def note(text):
    print(text, file=sys.stderr, flush=True)


def first_line(why):
    lines = str(why).strip().splitlines()
    return lines[0][:160] if lines else type(why).__name__


def machine(options, versions_of):
    """What the first line of a file of measurements says."""
    ganx = json.loads(subprocess.check_output([os.path.join(options.build, 'ganx'), 'version', '--json']))
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=ROOT, capture_output=True, text=True)
    versions = {}
    for name in versions_of:
        try:
            versions[name] = getattr(importlib.import_module(name), '__version__', 'unknown')
        except ImportError:
            versions[name] = None
    return {'what': 'machine', 'cpu': ganx['cpu'], 'cpu_features': ganx['cpu_features'], 'kernels': ganx['kernels'],
            'openblas_core': ganx['openblas_core'], 'threads': options.threads, 'commit': commit.stdout.strip(),
            'date': datetime.date.today().isoformat(), 'load': round(os.getloadavg()[0], 2), 'versions': versions}


class Record:
    """JSON lines: into -o FILE, or with --measured into a file named for processor and date."""

    def __init__(self, options, first, what):
        path = options.out
        if options.measured:
            cpu = re.sub('[^a-z0-9]+', '-', first['cpu'].lower().replace('(r)', '')).strip('-')
            path = os.path.join(HERE, 'measured', f"{first['kernels']}-{cpu}-{first['date']}-{what}.jsonl")
            os.makedirs(os.path.dirname(path), exist_ok=True)
        self.file = open(path, 'w') if path else None
        self.write(first)
        if path:
            note(f'into {os.path.relpath(path)}')

    def write(self, line):
        if self.file:
            print(json.dumps(line), file=self.file, flush=True)


def agreeing(row, folder, options):
    """The contenders whose outputs agree with PyTorch's, ganx the first; {name: difference}."""
    expected = Torch(row, folder, options).outputs()
    wanted = {'ganx': Ganx, **PEERS, **(REDUCED if options.bf16 else {})}
    there, difference = {}, {}
    for name, make in wanted.items():
        if options.peers and name != 'ganx' and name not in options.peers:
            continue
        try:
            contender = make(row, folder, options)
            y = contender.outputs().reshape(expected.shape)
        except Exception as why:
            note(f"{row['name']}: without {name}: {first_line(why)}")
            continue
        off = float(np.abs(y - expected).max() / np.abs(expected).max())
        allowed = 0.1 if name in REDUCED else AGREE
        if not off <= allowed:
            note(f"{row['name']}: without {name}: its output is off by {off:.2g} of the largest value")
            contender.close()
            continue
        there[name], difference[name] = contender, off
    return there, difference


def take_turns(contenders, rounds):
    """{name: [[milliseconds of a turn's runs], ...]}; each turn begins with a run that is not counted."""
    turns = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            first = contender.run(1)[0]
            count = max(1, min(TURN_RUNS, int(TURN * 1e3 / first)))
            turns[name].append(contender.run(count))
    return turns


def forward(options):
    rows = read_rows('inference', options)
    record = Record(options, machine(options, ['torch', 'onnxruntime', 'openvino', 'ncnn']), 'forward')
    began, best_of_all = time.time(), []
    for row in rows:
        folder = os.path.join(options.work, row['name'])
        prepare(row, folder)
        contenders, difference = agreeing(row, folder, options)
        if 'ganx' not in contenders:
            note(f"{row['name']}: nothing to compare")
            continue
        facts = contenders['ganx'].facts
        turns = take_turns(contenders, options.rounds)
        for contender in contenders.values():
            contender.close()
        if not options.rounds:
            found = ', '.join(f'{k} {v:.1e}' for k, v in difference.items())
            print(f"{row['name']}: outputs agree: {found}", flush=True)
            continue
        ms = {name: statistics.median(t for turn in found for t in turn) for name, found in turns.items()}
        peers = {k: v for k, v in ms.items() if k in PEERS}
        line = {'what': 'forward', 'name': row['name'], 'network': row['network'], 'w': row['w'], 'h': row['h'],
                'width': row['width'], 'gflop': facts['gflop'], 'arena_bytes': facts['arena_bytes'],
                'ms': {k: round(v, 3) for k, v in ms.items()}, 'difference': difference, 'turns': turns}
        if peers:
            best = min(peers, key=peers.get)
            torch = min((v for k, v in peers.items() if k.startswith('torch')), default=None)
            line.update(best_peer=best, ratio=round(peers[best] / ms['ganx'], 3),
                        ratio_torch=torch and round(torch / ms['ganx'], 3))
        record.write(line)
        show(line, head=not best_of_all)
        best_of_all.append(line)
    note(f'{time.time() - began:.0f} s')


def show(line, head):
    names = ['ganx', *PEERS, *(k for k in line['ms'] if k in REDUCED)]
    if head:
        print(f"{'ms':<14} {'size':>8}" + ''.join(f"{name.replace('channels-last', 'nhwc'):>14}" for name in names) +
              f"{'GFLOP/s':>9}{'x best peer':>13}{'x PyTorch':>11}")
    cell = lambda name: f"{line['ms'][name]:>14.1f}" if name in line['ms'] else f"{'-':>14}"
    ratio = lambda key, width: f'{line[key]:>{width}.2f}' if line.get(key) else f"{'-':>{width}}"
    print(f"{line['name']:<14} {line['w']}x{line['h']:<4}".ljust(23) + ''.join(cell(name) for name in names) +
          f"{line['gflop'] / line['ms']['ganx'] * 1e3:>9.0f}" + ratio('ratio', 13) + ratio('ratio_torch', 11),
          flush=True)


def markdown(paths):
    """A table of each file."""
    for path in paths:
        lines = [json.loads(line) for line in open(path)]
        first, rows = lines[0], lines[1:]
        print(f"\n{first['cpu']}, {first['kernels']}, {first['threads']} threads, {first['date']}, "
              f"commit {first['commit']}\n")
        if rows and rows[0]['what'] == 'step':
            print('| training step | ganx, ms | PyTorch, ms | ratio | ganx, MiB beyond state | PyTorch | ratio |\n' +
                  '|---|' + '---:|' * 6)
            for r in rows:
                print(f"| {r['name']} | {r['ms']:.0f} | {r['torch_ms']:.0f} | {r['ratio']:.2f} | "
                      f"{r['beyond_mib']:.0f} | {r['torch_beyond_mib']:.0f} | {r['memory_ratio']:.2f} |")
            continue
        names = [k for k in ('ganx', *PEERS, *REDUCED) if any(k in r['ms'] for r in rows)]
        print(f"| ms | input | {' | '.join(names)} | best peer / ganx | PyTorch / ganx |\n|---|---|" +
              '---:|' * (len(names) + 2))
        for r in rows:
            cells = [f"{r['ms'][k]:.1f}" if k in r['ms'] else '' for k in names]
            cells += [f'{r[k]:.2f}' if r.get(k) else '' for k in ('ratio', 'ratio_torch')]
            print(f"| {r['name']} | {r['w']}x{r['h']} | {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('verb', choices=['prepare', 'forward', 'steps', 'table'])
    parser.add_argument('only', nargs='*', help='names of rows (regular expressions), or for table files')
    parser.add_argument('--rounds', type=int, default=3, help='turns of each (3); 0: only compares outputs and losses')
    parser.add_argument('--threads', type=int, default=2, help='of each (2)')
    parser.add_argument('--peers', type=lambda text: text.split(','), help='only these, separated by commas')
    parser.add_argument('--bf16', action='store_true', help='the peers with bfloat16 too')
    parser.add_argument('--build', default=os.path.join(ROOT, 'build'), help='where ganx was built')
    parser.add_argument('--rows', default=os.path.join(HERE, 'rows'), help='the list (tests/bench/rows)')
    parser.add_argument('--work', help='folder of networks made once (build/peers)')
    parser.add_argument('--ganx-env', nargs='*', default=[], metavar='NAME=VALUE', help="for ganx's process")
    parser.add_argument('-o', '--out', help='JSON lines of what was measured')
    parser.add_argument('--measured', action='store_true', help='JSON lines into tests/bench/measured')
    options = parser.parse_intermixed_args()
    options.work = options.work or os.path.join(options.build, 'peers')
    os.environ.setdefault('TORCHINDUCTOR_CACHE_DIR', os.path.abspath(os.path.join(options.work, 'compiled')))
    if options.verb == 'steps':
        import steps_torch
        steps_torch.compare(options, read_rows('training', options), Record, machine)
    elif options.verb == 'forward':
        forward(options)
    elif options.verb == 'table':
        markdown(options.only)
    else:
        for row in read_rows('inference', options):
            note(row['name'])
            folder = os.path.join(options.work, row['name'])
            prepare(row, folder)
            if not options.peers or 'torch-compile' in options.peers:
                try:
                    TorchCompiled(row, folder, options).outputs()
                except Exception as why:
                    note(f"{row['name']}: not compiled: {first_line(why)}")


if __name__ == '__main__':
    main()
