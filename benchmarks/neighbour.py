"""What does one busy program beside it cost a training, and which setting of the threads avoids it?

Steps per second of the default networks on the digits, alone and beside a process that keeps one core busy, for several settings of the
library that runs torch's threads on Linux (GNU OpenMP). Each figure comes from a process of its own; settings take turns within a round.

usage: python benchmarks/neighbour.py [--rounds 3] [--steps 60]
"""
import argparse, os, statistics, subprocess, sys, time

settings = {'default': {}, 'spin 1000': dict(GOMP_SPINCOUNT='1000'), 'spin 30000': dict(GOMP_SPINCOUNT='30000'),
            'passive': dict(OMP_WAIT_POLICY='PASSIVE'), 'one thread': dict(OMP_NUM_THREADS='1')}


def measure(steps):
    from gan_course.all import GANTrainer, EMA, dcgan, image_data, set_seed
    from time_to_quality import Quiet
    set_seed(0)
    data = image_data('digits', 128, device='cpu')
    t = GANTrainer(*dcgan(data.shape), lr=4e-3, cbs=[EMA(.99), Quiet()], device='cpu').fit(data, steps=5)
    start = time.perf_counter(); t.fit(data, steps=steps)
    print(steps/(time.perf_counter() - start))


def once(env, steps):
    # What gan_course sets itself is taken out, so that `default` is the library's own
    clean = {k: v for k, v in os.environ.items() if k not in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY', 'OMP_NUM_THREADS')}
    argv = [sys.executable, __file__, '--measure', '--steps', str(steps)]
    # An unknown word leaves the wait as the library has it, and keeps gan_course from setting it
    out = subprocess.run(argv, env={'GOMP_SPINCOUNT': 'default', **clean, **env}, capture_output=True, text=True, check=True)
    return float(out.stdout.split()[-1])


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--rounds', type=int, default=3); p.add_argument('--steps', type=int, default=60)
    p.add_argument('--measure', action='store_true')
    a = p.parse_args()
    if a.measure: measure(a.steps); sys.exit()
    from common import save
    rates = {(name, busy): [] for name in settings for busy in (False, True)}
    for _ in range(a.rounds):
        for busy in (False, True):
            neighbour = subprocess.Popen([sys.executable, '-c', 'while True: pass']) if busy else None
            try:
                for name, env in settings.items(): rates[name, busy].append(round(once(env, a.steps), 2))
            finally:
                if neighbour: neighbour.kill(); neighbour.wait()
    both = {name: dict(alone=rates[name, False], beside=rates[name, True]) for name in settings}
    for row in both.values(): row.update({f'median_{k}': statistics.median(row[k]) for k in ('alone', 'beside')})
    save('neighbour', steps=a.steps, rounds=a.rounds, batch_size=128, steps_per_second=both)
