"""Do the defaults of gan_train hold where nobody tuned them? On class folders of letters, and on folders of three hundred pictures.

`letters`: the capitals A to J in every font of the machine, 28 pixels, black on white; one of ten is held out by the names of the files,
as in any folder. `letters_300`: the first thirty of each. `emoji_300`: three hundred emoji in colour, 64 pixels, without classes.

`before`: the first default (told nothing, no penalty, twice the rate, an average of 0.99). `told`, `flat`: the default of today, with the
classes and without. For fewer than 400 pictures no groups are sought, so `flat` of 300 is told nothing either.

Two minutes each. Seed 0 runs alone, by the clock; the other seeds (of three hundred: only one) for as many steps, two runs at a time.
10,000 samples of the averaged generator: letters against the held-out ones, by a classifier of another seed and width than those of
gan_eval; emoji against 931 others, by the ruler of CIFAR-10 (at 32 pixels), which knows no emoji: its `blurred` tells what a distance
means. Precision and coverage against at most 5,000. `real`: what (the first 10,000 of) the training pictures get. Memorisation of the first
100 samples.

The first 60 letters of seed 0, told, become nbs/images/untuned_SET.png, a column for each class.

usage: python benchmarks/untuned.py [--sets …] [--seeds 0 1 2] [--minutes 2] [--keep FOLDER] [--fonts FOLDER]
       Debian's packages: every fonts-* of less than 1.5 MB, and fonts-noto-color-emoji
"""
import argparse, json
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from common import cpu_name, recipe, root, run_all, save
from defaults import by_recipe, some_of_each
from gan_course.all import *
from gan_course.evaluation import _fit_classifier
from own_pictures import draw_emoji
from PIL import Image, ImageDraw, ImageFont
from search import seen_by
from time_to_quality import Quiet

letters = 'ABCDEFGHIJ'
hows = {'letters': ['before', 'flat', 'told'], 'letters_300': ['before', 'flat', 'told'], 'emoji_300': ['before', 'flat']}


def glyph(font, letter, size=28, ink=22):
    "A letter in the middle of a white square, or None if the font has no ink for it."
    left, top, right, bottom = font.getbbox(letter)
    width, height = right - left, bottom - top
    if not (0 < width <= 400 and 0 < height <= 400): return
    drawn = Image.new('L', (width, height), 255)
    ImageDraw.Draw(drawn).text((-left, -top), letter, font=font, fill=0)
    scale, square = ink/max(width, height), Image.new('L', (size, size), 255)
    drawn = drawn.resize([max(1, round(scale*side)) for side in drawn.size], Image.Resampling.LANCZOS)
    square.paste(drawn, ((size - drawn.width)//2, (size - drawn.height)//2))
    return square


def draw_letters(fonts, folder):
    "Class folders of letters, each picture once, without fonts that lack a letter or draw two of them alike; how many fonts there were."
    folder, seen, used = Path(folder), set(), 0
    for letter in letters: (folder/letter).mkdir(parents=True, exist_ok=True)
    for path in sorted(p for p in Path(fonts).rglob('*') if p.suffix.lower() in ('.ttf', '.otf')):
        try: pictures = [glyph(ImageFont.truetype(str(path), 100), letter) for letter in letters]
        except (OSError, ValueError): continue             # not a font, or one that the library cannot draw
        if None in pictures or len({p.tobytes() for p in pictures}) < len(letters): continue
        used += 1
        for letter, picture in zip(letters, pictures):
            if picture.tobytes() not in seen: picture.save(folder/letter/f'{path.stem}_{used:04d}.png')
            seen.add(picture.tobytes())
    return used


@cache
def sets(name, keep):
    "Training pictures, held-out ones, and the network that looks at them."
    if name == 'emoji_300':
        everything = image_data(Path(keep)/'emoji', 1, size=64, device='cpu')
        order = torch.randperm(len(everything.images), generator=torch.Generator().manual_seed(0))
        few, others = [ImageBatches(everything.images[i], None, [], name, 1, 'cpu') for i in (order[:300], order[300:])]
        return few, others, AtHalf(ruler('cifar10')[0])
    train, test = [mixed(image_data(Path(keep)/'letters', 1, size=28, split=s, device='cpu')) for s in ('train', 'test')]
    return (some_of_each(train, 30) if name == 'letters_300' else train), test, judge(train, test, keep)


def mixed(data):
    "The same pictures in another order: a folder is read class by class, and some measures take the first ones."
    order = torch.randperm(len(data.images), generator=torch.Generator().manual_seed(0))
    return ImageBatches(data.images[order], data.labels[order], data.classes, data.name, 1, 'cpu')


class AtHalf:
    "A ruler that looks at pictures of 64 pixels at half their side."
    def __init__(self, net): self.net = net
    def to(self, device): return self
    def look(self, images): return self.net.look(resize(images, 32))


def judge(train, test, keep):
    path, net = Path(keep)/'judge.safetensors', Classifier(1, len(letters), width=32)
    if path.exists(): net.load_state_dict(load_tensors(path)[0])
    else:
        torch.manual_seed(77)
        net = _fit_classifier(Classifier(1, len(letters), width=32), train.images, train.labels, 3000, 'letters')
        save_tensors(path, net.state_dict(), config=net.config)
    return net.eval()


def as_before(train, seed, steps, minutes):
    "A trainer after a run of the first default."
    data = ImageBatches(train.images, None, [], train.name, recipe['batch_size'], 'cpu', seed)
    set_seed(seed)
    t = GANTrainer(*dcgan(data.shape), lr=recipe['lr'], seed=seed, device='cpu',
                   cbs=[EMA(recipe['ema']), LinearDecay(recipe['decay_start']), Quiet()])
    t.fit(data, steps=steps, minutes=None if steps else minutes)
    return t, {}


def one(set, how, seed, minutes, keep, steps=None):
    train, test, net = sets(set, keep)
    t, settings = as_before(train, seed, steps, minutes) if how == 'before' else by_recipe(train, how, seed, steps, minutes)
    samples = to_uint8(t.sample(10000, seed=0, labels=labels_as_in(train, t.G, 10000)))
    torch.save(to_uint8(t.sample(100, seed=0)), Path(keep)/f'{set}_{how}_{seed}.pt')
    return dict(steps=t.step, cpu=cpu_name(), settings=settings, judge=seen_by(net, 'cpu', samples, train, test))


def marks(name, keep):
    "What real training pictures get, and the same blurred by a pixel; letters: how often the judge is right."
    train, test, net = sets(name, keep)
    k = torch.tensor([1., 2., 1.])/4
    k = (k[:, None]*k).expand(train.shape[0], 1, 3, 3)
    soft = to_uint8(F.conv2d(F.pad(to_float(train.images[:10000]), [1]*4, 'replicate'), k, groups=train.shape[0]))
    row = dict(pictures=len(train.images), held_out=len(test.images), real=seen_by(net, 'cpu', train.images[:10000], train, test),
               blurred=seen_by(net, 'cpu', soft, train, test))
    if train.classes: row['accuracy'] = round((net.look(test.images)[1].argmax(1) == test.labels).double().mean().item(), 4)
    return row


def copied(set, how, seed, keep):
    "The memorisation of the hundred samples that were kept."
    train, test, _ = sets(set, keep)
    samples = torch.load(Path(keep)/f'{set}_{how}_{seed}.pt', weights_only=True)
    return round(memorisation(samples, train.images, test.images), 2)


def picture(set, keep):
    "The first samples of the run with seed 0, twice as large."
    samples = torch.load(Path(keep)/f'{set}_told_0.pt', weights_only=True)
    grid = Image.fromarray(image_grid(samples[:60], ncol=10))
    grid = grid.resize((2*grid.width, 2*grid.height), Image.Resampling.NEAREST)
    grid.save(root/'nbs'/'images'/f'untuned_{set}.png', optimize=True)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--sets', nargs='+', choices=hows, default=[*hows])
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    p.add_argument('--minutes', type=float, default=2)
    p.add_argument('--keep', default='runs/untuned', help='folder of the pictures and of finished runs, which are not repeated')
    p.add_argument('--fonts', default='/usr/share/fonts')
    a = p.parse_args()
    keep, rows = Path(a.keep), 'rows.jsonl'
    if not (keep/'letters').exists(): print(draw_letters(a.fonts, keep/'letters'), 'fonts')
    if not (keep/'emoji').exists(): draw_emoji(next(Path(a.fonts).rglob('NotoColorEmoji.ttf')), keep/'emoji')
    about = {s: marks(s, a.keep) for s in a.sets}             # also trains the judge, before any clock runs
    print(json.dumps(about, indent=1), flush=True)
    jobs = [dict(set=s, how=how, seed=0, minutes=a.minutes, keep=a.keep) for s in a.sets for how in hows[s]]
    first = run_all(one, jobs, keep/rows)
    others = [dict(j, seed=seed, steps=r['steps']) for seed in a.seeds if seed for j, r in zip(jobs, first)
              if seed == 1 or j['set'] == 'letters']
    everything = first + run_all(one, others, keep/rows, processes=2)
    for s in a.sets:
        if 'told' in hows[s]: picture(s, keep)
    for r in everything: r['memorisation'] = copied(r['set'], r['how'], r['seed'], r.pop('keep'))
    save('untuned', sets=about, rows=everything)
