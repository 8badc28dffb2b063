"""What can a folder of one's own pictures become, and in what time? 64-pixel colour pictures, `gan_train FOLDER` as it is, for 3, 15 and
60 minutes on two CPU cores.

The pictures are the emoji of the font Noto Color Emoji (SIL Open Font License; Debian's package fonts-noto-color-emoji), one file for each
of its symbols that is a single code point. The 3 minutes are run by the clock, on an otherwise idle machine; the other runs make 5 and 20
times as many steps, so that a pause or a neighbour cannot change them. Runs that are there already are resumed, or only scored.

usage: python benchmarks/own_pictures.py [--font NotoColorEmoji.ttf] [--keep FOLDER] [--minutes 3 15 60]
"""
import argparse, json, subprocess, sys, unicodedata
from pathlib import Path

import torch
from common import root, save
from gan_course.all import *
from PIL import Image, ImageDraw, ImageFont


def draw_emoji(font, folder, size=64):
    "One PNG of size×size pixels for each symbol of the font that is a single code point; their number."
    font, folder = ImageFont.truetype(font, 109), Path(folder)       # the font's only size; its pictures are 136×128
    folder.mkdir(parents=True, exist_ok=True)
    for code in (c for c in range(0x2000, 0x1fb00) if unicodedata.category(chr(c)) == 'So'):
        picture = Image.new('RGB', (136, 136), 'white')
        ImageDraw.Draw(picture).text((0, 4), chr(code), font=font, embedded_color=True)
        if picture.convert('L').getextrema()[0] < 250:               # the font has it
            picture.resize((size, size), Image.Resampling.LANCZOS).save(folder/f'{code:05x}.png')
    return len([*folder.iterdir()])


def run(*command): subprocess.run([sys.executable, '-m', *map(str, command)], check=True)


def trained(folder, out, budget):
    "Steps of the run folder `out`, trained to the end of its budget."
    if not (out/'generator.safetensors').exists(): run('gan_course.train', folder, '--out', out, *budget)
    elif not (out/'done').exists(): run('gan_course.train', folder, '--out', out, '--resume')
    (out/'done').touch()
    return load_tensors(out/'generator.safetensors')[1]['step']


def picture(images, name, columns=12):
    "A grid of uint8 images as nbs/images/NAME.webp."
    Image.fromarray(image_grid(images, columns)).save(root/'nbs'/'images'/f'{name}.webp', quality=90)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--font', default='/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf')
    p.add_argument('--keep', default='runs/own_pictures', help='folder of the pictures and the runs')
    p.add_argument('--minutes', nargs='+', type=float, default=[3, 15, 60], help='the first is run by the clock')
    a = p.parse_args()
    keep = Path(a.keep)
    n, folder = draw_emoji(a.font, keep/'emoji'), keep/'emoji'
    train = image_data(folder)
    picture(train.images[torch.randperm(len(train.images), generator=torch.Generator().manual_seed(0))[:48]], 'own_real')
    rows, rate = [], None
    for minutes in a.minutes:
        out = keep/f'{minutes:g}'
        steps = trained(folder, out, ['--steps', round(rate*minutes)] if rate else ['--minutes', minutes])
        rate = rate or steps/minutes
        G, config = load_generator(out)
        picture(sample_from(G, config['z_dim'], 48, as_uint8=True), f'own_{minutes:g}')
        result = json.loads(subprocess.run([sys.executable, '-m', 'gan_course.evaluate', out, '--json'], check=True,
                                           capture_output=True, text=True).stdout)
        rows.append(dict(minutes=minutes, steps=steps, **result))
        save('own_pictures', pictures=n, trained_on=len(train.samples), size=train.shape[-1], rows=rows)
