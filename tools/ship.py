"""Put the generator of a run into the package, in half precision, under the name that the commands then know it by.

usage: python tools/ship.py RUN NAME
"""
import argparse
from pathlib import Path

from gan_course.core import load_tensors, save_json, save_tensors
from gan_course.runs import run_config

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument('run'); p.add_argument('name')
a = p.parse_args()
to = Path(__file__).resolve().parent.parent/'gan_course'/'generators'/a.name
config, (tensors, about) = run_config(a.run), load_tensors(Path(a.run)/'generator.safetensors')
half = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
save_tensors(to/'generator.safetensors', half, **about)
save_json(to/'config.json', {**config, 'step': about['step']})
print(f'{to}: {sum(f.stat().st_size for f in to.iterdir())/1e6:.1f} MB')
