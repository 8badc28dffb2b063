"""What do large pictures cost? Peak memory and seconds per step of GANTrainer on random colour pictures, for each of the three networks
with its own game.

Each row comes from a process of its own, so that no peak is another row's. `peak_gb` is the largest resident memory of the process
(ru_maxrss); `start_gb` is what it held before the first step, with torch, the networks and the pictures. On CUDA, `device_gb` is the peak
of the tensors there.
If a batch doesn't fit, half of it is tried, and so on. The times want an otherwise idle machine.

usage: python benchmarks/sizes.py [--sizes 64 128 256] [--archs dcgan resnet r3gan] [--batch_size 16] [--steps 10] [--devices cpu cuda]
"""
import argparse, json, resource, statistics, subprocess, sys, time

import torch
from common import networks_then, save
from gan_course.all import *

games = {'dcgan': {}, 'resnet': dict(loss='hinge'), 'r3gan': dict(loss='relativistic', penalty='r1r2')}


class Quiet(Progress):
    "No bar."
    def before_fit(self, t): pass
    def after_step(self, t): pass
    def after_fit(self, t): pass


class Clock(Callback):
    "Seconds of each step, with the device's work done."
    def __init__(self): self.times = []
    def before_fit(self, t): self.last = time.perf_counter()
    def after_step(self, t):
        if t.device.type == 'cuda': torch.cuda.synchronize()
        now = time.perf_counter(); self.times.append(now - self.last); self.last = now


def peak_gb():
    "Largest memory that this process has held so far. macOS counts bytes, Linux kilobytes."
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss*(1 if sys.platform == 'darwin' else 1024)/1e9


def weights(net): return sum(p.numel() for p in net.parameters())


def one(arch, size, batch_size, steps, device):
    "Measure one configuration in this process."
    set_seed(0)
    G, D = networks_then(arch, (3, size, size))
    data, clock = [torch.rand(batch_size, 3, size, size)*2 - 1], Clock()
    t = GANTrainer(G, D, **games[arch], device=device, cbs=[EMA(.99), Quiet(), clock])
    start = peak_gb()
    t.fit(data, steps=steps + 1)                # the first step also allocates and chooses its kernels: it is not counted
    row = dict(G_weights=weights(G), D_weights=weights(D), seconds_per_step=round(statistics.median(clock.times[1:]), 4),
               start_gb=round(start, 3), peak_gb=round(peak_gb(), 3))
    if t.device.type == 'cuda': row['device_gb'] = round(torch.cuda.max_memory_allocated()/1e9, 3)
    return row


def apart(job):
    "`one(**job)` in a process of its own; None if its memory wasn't enough."
    r = subprocess.run([sys.executable, __file__, '--one', json.dumps(job)], capture_output=True, text=True)
    if r.returncode == 0: return json.loads(r.stdout.splitlines()[-1])
    killed, refused = r.returncode in (-9, 137), any(words in r.stderr for words in ('out of memory', "can't allocate memory"))
    if killed or refused: return None
    raise SystemExit(f'{job} failed:\n{r.stderr}')


def fitting(arch, size, batch_size, steps, device):
    "The row of the largest batch that fits, halving from `batch_size`."
    while batch_size:
        job = dict(arch=arch, size=size, batch_size=batch_size, steps=steps, device=device)
        if (row := apart(job)) is not None: return {**job, **row}
        batch_size //= 2
    return dict(arch=arch, size=size, batch_size=0, steps=steps, device=device)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--sizes', nargs='+', type=int, default=[64, 128, 256])
    p.add_argument('--archs', nargs='+', default=list(games))
    p.add_argument('--batch_size', type=int, default=16)
    p.add_argument('--steps', type=int, default=10, help='timed steps of each row; the median is kept')
    p.add_argument('--devices', nargs='+', default=['cpu', *(['cuda'] if torch.cuda.is_available() else [])])
    p.add_argument('--one', help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.one: print(json.dumps(one(**json.loads(a.one)))); raise SystemExit
    rows = []
    for device in a.devices:
        for size in a.sizes:
            for arch in a.archs:
                rows.append(fitting(arch, size, a.batch_size, a.steps, device))
                print(json.dumps(rows[-1]), flush=True)
    save('sizes', channels=3, batch_size=a.batch_size, steps=a.steps, games=games, rows=rows)
