"""What gan_train makes of each set when it is told nothing else: before and after, with labels and without.

`told`: the set as it is. `flat`: the same pictures without their classes, as a folder of one's own would be. `nothing`: --unconditional.
Trained by the recipe on all cores for two minutes (digits 1.5), one run after the other; the machine must have nothing else to do. 10,000
samples of the averaged generator, labels drawn as in the data, against the test split by the ruler that comes with the package and by a
judge of another kind (search.py); precision and coverage against its first 5,000 images. `real`: what the first 10,000 training images
get. `few`: digits with so few pictures of each class, told it or nothing. `--like_record`: not for minutes, but for as many steps as the
record's runs of that set and kind had (their median), two runs at a time, and by the ruler alone, since a judge that is trained on another
machine is another judge: for further seeds on a machine of another pace. CIFAR-10 has a file of its own, photos.py.

The first 60 samples of seed 0, told, become nbs/images/SET.png, a column for each class.

usage: python benchmarks/defaults.py [--sets …] [--how told flat nothing] [--seeds 0 1 2] [--minutes 2] [--few] [--like_record]
       [--keep FILE]
"""
import argparse, json, sys
from pathlib import Path
from statistics import median_low

import torch
from common import cpu_name, results, root, run_all, save
from gan_course.all import *
from gan_course.recipes import recipes
from PIL import Image
from search import judge_for, seen_by, splits
from time_to_quality import Quiet


def by_recipe(train, how, seed, steps=None, minutes=None):
    "A trainer after a run of gan_train's default, the classes `told`, taken away (`flat`) or there and not told (`nothing`); its settings."
    recipe, classes = recipes['dcgan'], train.classes if how != 'flat' else []
    data = ImageBatches(train.images, train.labels.clone() if classes else None, classes, train.name, 1, 'cpu', seed)
    asked = dict(seed=seed, steps=steps) if steps else dict(seed=seed, minutes=minutes)
    settled = recipe.settle({**asked, **({} if how == 'flat' else dict(conditional=how == 'told'))}, data)
    data.batch_size = settled['batch_size']
    recipe.prepare(data, settled)
    t = recipe.make(data, settled, 'cpu', [Quiet()])
    t.fit(data, steps=steps, minutes=None if steps else minutes)
    settings = {k: settled[k] for k in ('conditional', 'penalty', 'penalty_every', 'lr', 'd_lr', 'ema', 'precision')}
    return t, {**settings, 'groups': settled['own']['groups']}


def some_of_each(data, n):
    "The first n pictures of each class."
    rank = torch.zeros_like(data.labels)
    for c in range(len(data.classes)): rank[data.labels == c] = torch.arange((data.labels == c).sum())
    return ImageBatches(data.images[rank < n], data.labels[rank < n], data.classes, data.name, 1, 'cpu')


def one(set, how, seed, minutes, keep, each=0, steps=None):
    train, test = splits(set, 'cpu')
    t, settings = by_recipe(some_of_each(train, each) if each else train, how, seed, steps, minutes)
    samples = to_uint8(t.sample(10000, seed=0, labels=labels_as_in(train, t.G, 10000)))
    torch.save(to_uint8(t.sample(100, seed=0)), Path(keep)/f'{set}_{how}_{seed}_{each}.pt')
    by = dict(ruler=ruler(set)[0])
    if not steps: by['judge'] = judge_for(set, 'cpu', keep)
    return dict(steps=t.step, cpu=cpu_name(), settings=settings,
                **{who: seen_by(net, 'cpu', samples, train, test) for who, net in by.items()})


def real(set):
    train, test = splits(set, 'cpu')
    return seen_by(ruler(set)[0], 'cpu', train.images[:10000], train, test)


def steps_of_record(set, how):
    record = json.loads((results/'defaults.json').read_text())
    return median_low(r['steps'] for r in record['rows'] if (r['set'], r['how']) == (set, how))


def picture(set, keep, rows=6):
    "The first samples of the run with seed 0, twice as large."
    samples = torch.load(Path(keep)/f'{set}_told_0_0.pt', weights_only=True)
    grid = Image.fromarray(image_grid(samples[:10*rows], ncol=10))
    grid = grid.resize((2*grid.width, 2*grid.height), Image.Resampling.NEAREST)
    grid.save(root/'nbs'/'images'/f'{set}.png', optimize=True)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--sets', nargs='+', default=['mnist', 'fashion_mnist', 'digits'])
    p.add_argument('--how', nargs='+', default=['told', 'flat'])
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    p.add_argument('--minutes', type=float, help='default: 2, for digits 1.5')
    p.add_argument('--few', action='store_true')
    p.add_argument('--like_record', action='store_true')
    p.add_argument('--keep', default='runs/defaults/rows.jsonl', help='file of finished runs, which are not repeated')
    a = p.parse_args()
    folder = Path(a.keep).parent; folder.mkdir(parents=True, exist_ok=True)
    common = dict(keep=str(folder))
    if a.few:
        jobs = [dict(set='digits', how=h, seed=0, minutes=.5, each=n, **common) for n in (5, 10, 20, 50) for h in ('told', 'nothing')]
    else:
        jobs = [dict(set=s, how=h, seed=seed, minutes=a.minutes or (1.5 if s == 'digits' else 2.), **common)
                for seed in a.seeds for s in a.sets for h in a.how]
    if a.like_record: jobs = [dict(steps=steps_of_record(j['set'], j['how']), **j) for j in jobs]
    run_all(one, jobs, a.keep, 2 if a.like_record else 1)
    rows = [json.loads(line) for line in Path(a.keep).read_text().splitlines()]       # also of earlier calls with this file
    if not a.few:
        for s in a.sets:
            if 'told' in a.how and 0 in a.seeds: picture(s, folder)
    for r in rows: r.pop('keep')
    further = {}
    if a.like_record:          # the record keeps the command that it began with
        further, sys.argv[1:] = dict(further=' '.join(sys.argv[1:])), ['--keep', 'FILE']
    save('defaults_few' if a.few else 'defaults',
         real={s: real(s) for s in dict.fromkeys(r['set'] for r in rows)}, rows=rows, **further)
