"""The best that some minutes of one GPU buy on CIFAR-10: wide networks of the three kinds, told the class, scored on the way.

Each gets the same time. Samples of the averaged generator, 10,000 with labels 0 to 9 in turn, against the test split by the shipped
ruler. The first 100 samples of seed 0 of the best, not selected, a column per class, become nbs/images/cifar_gpu.webp; the run folders
stay in --keep. `--score` only scores what lies there, on any device.

usage: python benchmarks/gpu.py [--minutes 6] [--only dcgan resnet r3gan] [--keep runs/gpu] [--device cuda] [--score]
"""
import argparse, shutil, time
from pathlib import Path

import torch
from common import cpu_name, networks_then, root, save
from gan_course.all import *
from PIL import Image
from time_to_quality import Quiet

nets = {
    'dcgan': dict(networks=dict(width=128, d_width=64, d_norm='none'), every=2000, batch=256,
                  game=dict(loss='non_saturating', penalty='r1', penalty_every=4, lr=1e-3, channels_last=True)),
    'resnet': dict(networks=dict(width=64, d_width=64), every=1000, batch=128,
                   game=dict(loss='hinge', lr=2e-4, d_lr=8e-4, channels_last=True)),
    'r3gan': dict(networks=dict(width=96), every=500, batch=256,
                  game=dict(loss='relativistic', penalty='r1r2', penalty_every=4, lr=1e-3)),
}


def trained(arch, minutes, keep, device, seed=0):
    "The run folder, and its scores on the way."
    o = nets[arch]
    train, test = [image_data('cifar10', batch_size=b, split=s, device=device, seed=seed) for s, b in (('train', o['batch']), ('test', 1))]
    net = ruler('cifar10')[0].to(device)
    reference, rows, start = net.look(test.images, 1000)[0], [], time.perf_counter()

    def measure(samples):
        d = frechet_distance(net.look(to_uint8(samples), 1000)[0], reference)
        rows.append(dict(seconds=round(time.perf_counter() - start, 1), frechet_distance=round(d, 4)))
        print(arch, rows[-1], flush=True)
        return dict(distance=d)

    set_seed(seed)
    G, D = networks_then(arch, train.shape, classes=10, **o['networks'])
    score = Score(measure, every=o['every'], n=10000)
    t = GANTrainer(G, D, **o['game'], device=device, seed=seed, cbs=[EMA(.999), LinearDecay(.5), score, Quiet()])
    t.notes['processor'] = torch.cuda.get_device_name() if device == 'cuda' else cpu_name()
    t.fit(train, minutes=minutes)
    t.save(Path(keep)/arch)
    return rows


def scored(arch, minutes, keep, device, seed=0):
    "The numbers of a run folder."
    o, folder = nets[arch], Path(keep)/arch
    train, test = [image_data('cifar10', batch_size=1, split=s, device=device) for s in ('train', 'test')]
    net, card = ruler('cifar10')
    net = net.to(device)
    G, config = load_generator(folder, device=device)
    draw = lambda n, seed: to_uint8(sample_from(G, config['z_dim'], n, seed))
    picture(draw(100, 0), folder/'samples.webp')
    reference, floor, a = [net.look(x.to(device), 500)[0] for x in (test.images, train.images[:10000], draw(10000, 1))]
    p = torch.randperm(10000, generator=torch.Generator().manual_seed(0))[:5000]

    def numbers(features, which):
        real, some = reference[:5000], features[which]
        return dict(frechet_distance=frechet_distance(features, reference), precision=precision_recall(real, some)[0],
                    coverage=density_coverage(real, some)[1])
    settings = dict(networks=o['networks'], batch=o['batch'], **o['game'])
    steps = load_tensors(folder/'generator.safetensors')[1]['step']
    return dict(arch=arch, minutes=minutes, steps=steps, trained_on=config.get('processor'), settings=settings,
                parameters=sum(p.numel() for p in G.parameters()), **numbers(a, p), real=numbers(floor, slice(5000)),
                extractor=card['accuracy'], seed=seed)


def picture(images, path):
    "Ten columns, one per class, twice as large."
    x = to_uint8(images).permute(0, 2, 3, 1).numpy()
    n, h, w, c = x.shape
    grid = Image.fromarray(x.reshape(n//10, 10, h, w, c).transpose(0, 2, 1, 3, 4).reshape(n//10*h, 10*w, c))
    grid.resize((2*grid.width, 2*grid.height), Image.Resampling.NEAREST).save(path, quality=92, method=6)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--minutes', type=float, default=6.)
    p.add_argument('--only', nargs='+', default=list(nets))
    p.add_argument('--keep', default='runs/gpu')
    p.add_argument('--device', default='cuda')
    p.add_argument('--score', action='store_true')
    a = p.parse_args()
    curves = {n: None if a.score else trained(n, a.minutes, a.keep, a.device) for n in a.only}
    rows = [dict(scored(n, a.minutes, a.keep, a.device), curve=curves[n]) for n in a.only]
    best = min(rows, key=lambda r: r['frechet_distance'])['arch']
    shutil.copy(Path(a.keep)/best/'samples.webp', root/'nbs'/'images'/'cifar_gpu.webp')
    save('gpu', rows=rows)
