"""From spectrogram to sound: Griffin–Lim, a vocoder trained on its errors alone, and one that had to convince listeners, too.

Both vocoders begin with the same weights and see the same pieces in the same order for as many steps; in the first third there are no
listeners. Measured on the 300 test recordings, which none of them has heard: errors against the recording, what two judges hear, and
Fréchet distance; then on 1,000 pictures by the generator in the package.

usage: python benchmarks/vocoder.py --keep FOLDER [--steps 6000] [--ship]
"""
import argparse, json, os, statistics, time
from pathlib import Path

import torch
from common import root, save
from gan_course.all import *
from gan_course.commands import find_run
from tqdm.auto import tqdm

ways = {'errors alone': False, 'errors and listeners': True}


def trained(steps, adversarial, keep):
    "(vocoder, seconds), trained to the end; goes on where an earlier call was stopped."
    set_seed(0)
    V, D, seconds = Vocoder(), Listeners() if adversarial else None, 0.
    t = VocoderTrainer(V, D, steps, alone=steps//3)
    nets, data = [n for n in (V, D) if n is not None], sound_data('spoken_digits', device='cpu')
    if keep.exists():
        state = torch.load(keep, weights_only=True)
        for one, kept in zip([*nets, *t.opts], [*state['nets'], *state['opts']]): one.load_state_dict(kept)
        t.rng.set_state(state['rng']); t.done, seconds = state['done'], state['seconds']
    bar = tqdm(range(t.done, steps), initial=t.done, total=steps, desc=keep.stem)
    for _ in bar:
        start = time.time()
        errors = t.step(data.sounds)
        seconds += time.time() - start
        if t.done % 200 == 0 or t.done == steps:
            bar.set_postfix(errors)
            print(t.done, f'{seconds:.0f} s', errors, flush=True)
            state = dict(nets=[n.state_dict() for n in nets], opts=[o.state_dict() for o in t.opts], rng=t.rng.get_state(),
                         done=t.done, seconds=seconds)
            torch.save(state, keep.with_suffix('.tmp')); os.replace(keep.with_suffix('.tmp'), keep)
    return V.eval(), seconds


@torch.no_grad()
def seconds_a_sound(ways, pictures, rounds=5):
    "The median of some rounds, in each of which all take their turn."
    took = {name: [] for name in ways}
    for _ in range(rounds):
        for name, make in ways.items():
            start = time.perf_counter(); make(pictures)
            took[name].append((time.perf_counter() - start)/len(pictures))
    return {name: statistics.median(v) for name, v in took.items()}


@torch.no_grad()
def measured_on(made, real, words, judges):
    share, log = stft_errors(made, real)
    return dict(mel=mel_error(made, real).item(), convergence=share.item(), log=log.item(), heard=heard_as_asked(made, words, *judges),
                stopped={k: int(v.sum()) for k, v in gates(made).items()})


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--keep', required=True, help='folder of the states that a stopped run goes on from')
    p.add_argument('--steps', type=int, default=6000)
    p.add_argument('--n', type=int, default=1000)
    p.add_argument('--ship', action='store_true', help='put the second vocoder into the package')
    a = p.parse_args()
    Path(a.keep).mkdir(parents=True, exist_ok=True)
    train, test = (sound_data('spoken_digits', split=s, device='cpu') for s in ('train', 'test'))
    pictures, kind = log_mel(test.sounds), kinds['sounds']
    judges = classifier_for(pictures_of(train), pictures_of(test))[0].cpu(), second_judge(train)
    vocoders = {name: trained(a.steps, d, Path(a.keep)/f'{"with" if d else "without"}.pt') for name, d in ways.items()}
    if a.ship:
        path = root/'gan_course'/'generators'/'spoken_digits'/'vocoder.safetensors'
        half = {k: v.half() for k, v in vocoders['errors and listeners'][0].state_dict().items()}
        save_tensors(path, half, steps=a.steps, data='spoken_digits', config={})
    G, config = load_generator(find_run('spoken_digits'), device='cpu')
    labels = train.labels[torch.randint(len(train.labels), (a.n,), generator=torch.Generator().manual_seed(0))]
    drawn = sample_from(G, config['z_dim'], a.n, 0, labels=labels)
    rows, made_by = [], {'Griffin–Lim': (to_sound, 0.), **vocoders}
    took = seconds_a_sound({name: make for name, (make, _) in made_by.items()}, pictures[:100])
    for name, (make, seconds) in made_by.items():
        with torch.no_grad(): made, spoken = make(pictures), make(drawn)
        scores = [kind.score(x, train, test, train, 'cpu', labels=y) for x, y in ((made, test.labels), (spoken, labels))]
        errors = measured_on(made, test.sounds, test.word_labels, judges)
        shown = ('heard', 'stopped', 'frechet_distance', 'precision', 'coverage')
        rows.append(dict(way=name, training_seconds=seconds, seconds_a_sound=took[name], **errors,
                         frechet_distance=scores[0]['frechet_distance'], of_the_generator={k: scores[1][k] for k in shown}))
        print(json.dumps(rows[-1]), flush=True)
    save('vocoder', steps=a.steps, alone=a.steps//3, seed=0, n=a.n, parameters=sum(p.numel() for p in Vocoder().parameters()), rows=rows)
