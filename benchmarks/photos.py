"""What gan_train makes of CIFAR-10 when it is told nothing else: told the class, and with --unconditional, in the fifteen minutes of the
default. And does the class help there?

How many steps are fifteen minutes? A minute of each kind alone on the machine says; then the runs make so many, two at a time. 10,000
samples of the averaged generator, labels drawn as in the data, against the test split: by the ruler that comes with the package, and by a
plain classifier, a judge of another kind (search.py); precision and coverage against its first 5,000 images. `real`: what the first
10,000 training images get.

The first 60 samples of seed 0, told, become nbs/images/cifar10.webp, a column for each class.

usage: python benchmarks/photos.py [--seeds 0 1] [--minutes 15] [--steps TOLD NOTHING] [--keep FILE]
"""
import argparse
from pathlib import Path

import torch
from common import cpu_name, root, run_all, save
from defaults import by_recipe, real
from gan_course.all import *
from PIL import Image
from search import judge_for, seen_by, splits

hows = 'told', 'nothing'


def one(how, seed, steps, folder):
    train, test = splits('cifar10', 'cpu')
    t, settings = by_recipe(train, how, seed, steps)
    samples = to_uint8(t.sample(10000, seed=0, labels=labels_as_in(train, t.G, 10000)))
    torch.save(to_uint8(t.sample(100, seed=0)), Path(folder)/f'{how}_{seed}.pt')
    by = dict(ruler=ruler('cifar10')[0], judge=judge_for('cifar10', 'cpu', folder))
    return dict(cpu=cpu_name(), settings=settings, **{who: seen_by(net, 'cpu', samples, train, test) for who, net in by.items()})


def steps_in(minutes, how):
    "As many steps as the machine makes in so many minutes, by one of them."
    t, _ = by_recipe(splits('cifar10', 'cpu')[0], how, 0, minutes=1)
    return round(minutes*t.step)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1])
    p.add_argument('--minutes', type=float, default=15)
    p.add_argument('--steps', nargs=2, type=int, help='in place of the minute that says how many')
    p.add_argument('--keep', default='runs/photos/rows.jsonl', help='file of finished runs, which are not repeated')
    a = p.parse_args()
    folder = Path(a.keep).parent; folder.mkdir(parents=True, exist_ok=True)
    judge_for('cifar10', 'cpu', folder)
    steps = dict(zip(hows, a.steps or [steps_in(a.minutes, how) for how in hows]))
    print(steps, flush=True)
    jobs = [dict(how=how, seed=seed, steps=steps[how], folder=str(folder)) for seed in a.seeds for how in hows]
    rows = run_all(one, jobs, a.keep, processes=2)
    grid = Image.fromarray(image_grid(torch.load(folder/'told_0.pt', weights_only=True)[:60], ncol=10))
    grid = grid.resize((2*grid.width, 2*grid.height), Image.Resampling.NEAREST)
    grid.save(root/'nbs'/'images'/'cifar10.webp', quality=88, method=6)
    for r in rows: r.pop('folder')
    save('photos', real={'cifar10': real('cifar10')}, rows=[dict(set='cifar10', minutes=a.minutes, **r) for r in rows])
