"""Does a G below 64 pixels want its doublings smooth, too? Transposed convolutions and a shuffle leave a grid of dots on photographs.

Told the class, by the recipe of gan_train, as many steps as two cores of an AMD EPYC make in the minutes of `minutes` (with transposed
convolutions); 10,000 samples by the ruler, and the share of the pictures' energy at patterns of 4 or 2 pixels, in percent. CIFAR-10 also
by the plain classifier of search.py, a judge of another kind. `emoji`: those of own_pictures.py at 32 pixels, 900 of them, told nothing,
compared with 331 others by the ruler of CIFAR-10. `costs`: the time of a step of smooth over that of transposed, in blocks by
turns. `mixed`: smooth doublings and a shuffle at the end, and the other way round: which of the two is it?

The first 60 samples of seed 0 become nbs/images/doublings_UP.webp, for CIFAR-10.

usage: python benchmarks/doublings.py [--sets cifar10 mnist fashion_mnist digits emoji] [--seeds 0 1] [--mixed] [--processes 2]
       [--keep FILE]
"""
import argparse, json, statistics, time
from functools import cache
from pathlib import Path

import torch
from common import root, run_all, save
from gan_course import networks
from gan_course.all import *
from own_pictures import draw_emoji
from PIL import Image
from search import judge_for, minutes, seen_by, splits
from time_to_quality import Quiet

steps = dict(cifar10=2574, mnist=1241, fashion_mnist=1241, digits=944, emoji=1241)


def dots(x):
    "The same as on the page about networks."
    x = (x - x.mean((2, 3), keepdim=True)).double()
    power = torch.fft.fft2(x).abs().square().mean((0, 1))
    n = len(power)//4
    return 100*float(power[n::n, n::n].sum()/power.sum())


@cache
def sets(name):
    "Training pictures, others, and the ruler."
    if name != 'emoji': return *splits(name, 'cpu'), ruler(name)[0]
    images = image_data('runs/own_pictures/emoji', 1, size=32, device='cpu').images
    images = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]
    return *(ImageBatches(x, None, [], name, 1, 'cpu') for x in (images[:900], images[900:])), ruler('cifar10')[0]


def pair(data, up):
    "G and D; `up` for the doublings on the way, `/` for the last one."
    G, D = dcgan(data.shape, classes=len(data.classes), d_norm='none', up=up.partition('/')[0])
    if '/' in up:
        other, _ = dcgan(data.shape, classes=len(data.classes), up=up.partition('/')[2])
        last = len(networks._to_picture(1, 1, up.partition('/')[0])) + 1           # and tanh
        G.layers = torch.nn.Sequential(*G.layers[:-last], *other.layers[-len(networks._to_picture(1, 1, up.partition('/')[2])) - 1:])
    return G, D


def trainer(set, up, seed):
    train, *_ = sets(set)
    data = ImageBatches(train.images, train.labels, train.classes, train.name, 128, 'cpu', seed)
    set_seed(seed)
    G, D = pair(data, up)
    return GANTrainer(G, D, loss='non_saturating', penalty='r1', penalty_every=4, lr=2e-3, seed=seed, device='cpu',
                      cbs=[EMA(.999), LinearDecay(.4), Quiet()]), data


def one(set, up, seed, steps, folder):
    train, test, net = sets(set)
    t, data = trainer(set, up, seed)
    t.fit(data, steps=steps)
    x = t.sample(10000, seed=0, labels=labels_as_in(train, t.G, 10000))
    torch.save(to_uint8(t.sample(100, seed=0)), Path(folder)/f'{set}_{up.replace("/", "_")}_{seed}.pt')
    by = dict(ruler=net)
    if set == 'cifar10': by['judge'] = judge_for(set, 'cpu', folder)
    return dict(seconds=round(t.seconds, 1), dots=round(dots(x), 4), dots_real=round(dots(to_float(test.images)), 4),
                **{who: seen_by(net, 'cpu', to_uint8(x), train, test) for who, net in by.items()})


def costs(set, block=8, rounds=7):
    "Time of a step, smooth over transposed; the seconds of the latter."
    runs, ratios, seconds = [trainer(set, up, 0) for up in ('transposed', 'smooth')], [], []
    for i in range(rounds + 1):
        took = []
        for t, data in runs:
            start = time.perf_counter(); t.fit(data, steps=block); took.append((time.perf_counter() - start)/block)
        if i: ratios.append(took[1]/took[0]); seconds.append(took[0])
    return dict(ratio=round(statistics.median(ratios), 3), lowest=round(min(ratios), 3), highest=round(max(ratios), 3),
                seconds=round(statistics.median(seconds), 4))


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--sets', nargs='+', choices=[*steps], default=[*steps])
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1])
    p.add_argument('--mixed', action='store_true')
    p.add_argument('--processes', type=int, default=2)
    p.add_argument('--keep', default='runs/doublings/rows.jsonl', help='file of finished runs, which are not repeated')
    a = p.parse_args()
    folder = Path(a.keep).parent; folder.mkdir(parents=True, exist_ok=True)
    if 'emoji' in a.sets: draw_emoji('/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf', 'runs/own_pictures/emoji')
    if 'cifar10' in a.sets: judge_for('cifar10', 'cpu', folder)
    of_step = {s: costs(s) for s in ('cifar10', 'mnist') if s in a.sets}
    ways = ['transposed', 'smooth'] + (['smooth/transposed', 'transposed/smooth'] if a.mixed else [])
    jobs = [dict(set=s, up=up, seed=seed, steps=steps[s], folder=str(folder))
            for seed in a.seeds for s in a.sets for up in ways if '/' not in up or s == 'cifar10']
    run_all(one, jobs, a.keep, a.processes)
    rows = [json.loads(line) for line in Path(a.keep).read_text().splitlines()]      # also of earlier calls with this file
    for up in ('transposed', 'smooth') if 'cifar10' in a.sets else ():
        grid = Image.fromarray(image_grid(torch.load(folder/f'cifar10_{up}_0.pt', weights_only=True)[:60], ncol=10))
        grid.resize((2*grid.width, 2*grid.height), Image.Resampling.NEAREST).save(root/'nbs'/'images'/f'doublings_{up}.webp',
                                                                                 quality=88, method=6)
    for r in rows: r.pop('folder')
    save('doublings', minutes=minutes, costs=of_step, rows=rows)
