"What the benchmarks share: a record of the machine, the results folder, and many runs at a time."
import datetime, json, multiprocessing, platform, sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch
import gan_course

from gan_course.core import builders
from gan_course.recipes import recipes

root = Path(__file__).resolve().parent.parent
results = root/'gan_course'/'results'


# A plain DCGAN, told nothing, no penalty: what the comparisons of ingredients, networks and time start from
recipe = dict(lr=4e-3, batch_size=128, ema=.99, decay_start=.4)
d_rate_for = {'digits': .1}


def _wants(r):
    settings = dict(loss=r.loss, penalty=r.penalty, lr=r.lr, d_lr=r.d_lr, batch_size=r.batch_size)
    return {k: v for k, v in settings.items() if v not in (None, 'none')}


recipe_of = {name: _wants(recipes[name]) for name in ('resnet', 'r3gan')}      # where a network wants something else


def networks_then(arch, shape, **options):
    "G and D as they were when the older records were made: without smooth doublings in a DCGAN of colour pictures below 64 pixels."
    return builders[arch](shape, **({'up': None, **options} if arch == 'dcgan' else options))


def cpu_name():
    try: return next(l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name'))
    except (OSError, StopIteration): return platform.processor() or platform.machine()


def device_name(device):
    return torch.cuda.get_device_name() if torch.device(device).type == 'cuda' else cpu_name()


def save(name, **values):
    "Write gan_course/results/NAME.json with the command, the hardware, the versions and the date."
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    record = dict(command='python ' + ' '.join([f'benchmarks/{Path(sys.argv[0]).name}', *sys.argv[1:]]),
                  date=datetime.date.today().isoformat(),
                  hardware=dict(cpu=cpu_name(), instructions=torch.backends.cpu.get_cpu_capability(),
                                threads=torch.get_num_threads(), gpu=gpu),
                  versions=dict(gan_course=gan_course.__version__, torch=torch.__version__, python=platform.python_version()), **values)
    results.mkdir(exist_ok=True)
    (results/f'{name}.json').write_text(json.dumps(record, indent=1) + '\n')
    print(json.dumps(record, indent=1))


def endless(data):
    "Batches without their labels, round after round."
    while True:
        for samples, _ in data: yield samples


def _one(work, job, threads):
    torch.set_num_threads(threads)
    return work(**job)


def run_all(work, jobs, keep=None, processes=1):
    """`work(**job)` → dict for each of `jobs` (JSON-able dicts), `processes` of them at a time, the cores shared out among them; in the
    order of `jobs`. Finished ones are added to the file `keep` and not repeated."""
    kept = [json.loads(line) for line in Path(keep).read_text().splitlines()] if keep and Path(keep).exists() else []
    done = {i: row for i, job in enumerate(jobs) for row in kept if job.items() <= row.items()}
    threads, failed = max(1, torch.get_num_threads()//processes), None
    with ProcessPoolExecutor(processes, multiprocessing.get_context('spawn')) as pool:
        waiting = {pool.submit(_one, work, job, threads): i for i, job in enumerate(jobs) if i not in done}
        for future in as_completed(waiting):
            i = waiting[future]
            try: done[i] = {**jobs[i], **future.result()}
            except Exception as e:
                print(f'{jobs[i]} failed: {e!r}', file=sys.stderr, flush=True)
                failed = failed or e
                continue
            print(json.dumps(done[i])[:300], flush=True)
            if keep:
                with open(keep, 'a') as f: f.write(json.dumps(done[i]) + '\n')
    if failed: raise failed                  # but not before the others are kept
    if keep and '--keep' in sys.argv: sys.argv[sys.argv.index('--keep') + 1] = 'FILE'      # as the record shows it
    return [done[i] for i in range(len(jobs))]
