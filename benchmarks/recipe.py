"""How good are the defaults? `gan_train DATA` as a user runs it, then `gan_eval`, for several seeds; and a sketch to beat.

The sketch is the usual small GAN: hinge loss, spectral normalisation, batch 64, Adam 2e-3, average of G, width 16, no schedule; it
trains for the same two minutes on MNIST, in the same run. The digits are also run with equal learning rates for G and D (`--lr 0.004`).

The first 80 samples of the first seed, not selected, become nbs/images/DATA.png.

usage: python benchmarks/recipe.py [--seeds 0 1 2] [--keep FOLDER]
"""
import argparse, json, statistics, subprocess, sys, tempfile, time
from pathlib import Path

import torch
from PIL import Image
from common import root, save
from gan_course.all import *
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm as sn


def sketch(seed, minutes):
    torch.manual_seed(seed)
    G = nn.Sequential(nn.Linear(64, 64*49, bias=False), nn.Unflatten(1, (64, 7, 7)), nn.BatchNorm2d(64), nn.ReLU(),
                      nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
                      nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh())
    D = nn.Sequential(sn(nn.Conv2d(1, 16, 4, 2, 1)), nn.LeakyReLU(.2), sn(nn.Conv2d(16, 32, 4, 2, 1)), nn.LeakyReLU(.2),
                      sn(nn.Conv2d(32, 64, 3, 2, 1)), nn.LeakyReLU(.2), nn.Flatten(), sn(nn.Linear(64*16, 1)), nn.Flatten(0))
    train, test = [image_data('mnist', split=s) for s in ('train', 'test')]
    t = GANTrainer(G, D, loss='hinge', lr=2e-3, z_dim=64, cbs=[EMA(.999)], seed=seed).fit(train, minutes=minutes)
    return dict(seed=seed, steps=t.step, **score(t.sample(10_000), train, test))


def default(data, seed, folder, name, *options):
    "The command as a user runs it, in a process of its own; a run that lies in `folder` already is scored again, not trained again."
    out, log = Path(folder)/f'{name}-{seed}', Path(folder)/f'{name}-{seed}.seconds'
    reused = log.exists()
    if not reused:
        start = time.time()
        subprocess.run([sys.executable, '-m', 'gan_course.train', data, '--seed', str(seed), '--out', str(out), *options],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        log.write_text(f'{time.time() - start:.1f}')
    r = json.loads(subprocess.run([sys.executable, '-m', 'gan_course.evaluate', str(out), '--json'],
                                  check=True, capture_output=True, text=True).stdout)
    r['protocol'].pop('run')
    if name == data and seed == 0:
        G, config = load_generator(out)
        grid = Image.fromarray(image_grid(sample_from(G, config['z_dim'], 80), ncol=20))
        grid.resize((2*grid.width, 2*grid.height), Image.Resampling.NEAREST).save(root/'nbs'/'images'/f'{data}.png')
    steps = int((out/'history.csv').read_text().splitlines()[-1].split(',')[0])
    return dict(seed=seed, reused=reused, steps=steps, wall_seconds=float(log.read_text()), **r)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    p.add_argument('--keep', help='keep the run folders here, and use those that lie here already')
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        folder = a.keep or tmp
        jobs = {'digits': lambda seed: default('digits', seed, folder, 'digits'),
                'digits_equal_rates': lambda seed: default('digits', seed, folder, 'digits_equal_rates', '--lr', '0.004'),
                'mnist': lambda seed: default('mnist', seed, folder, 'mnist'), 'mnist_sketch': lambda seed: sketch(seed, 2.)}
        runs = {name: [] for name in jobs}
        for seed in a.seeds:
            for name, job in jobs.items(): runs[name].append(job(seed)); print(name, seed, runs[name][-1]['percent_of_noise'], flush=True)
    if a.keep: sys.argv[sys.argv.index('--keep') + 1] = 'FOLDER'      # the path says nothing to others; that runs may have been reused does
    def spread(rs):
        values = [r['percent_of_noise'] for r in rs]
        return dict(median_percent_of_noise=round(statistics.median(values), 3), lowest=round(min(values), 3),
                    highest=round(max(values), 3), rarest_class=min(min(r['classes'].values()) for r in rs))
    save('recipe', seeds=a.seeds, summary={name: spread(rs) for name, rs in runs.items()}, runs=runs)
