"Signs of health in the log, and what the commands make of them."
import csv

import pytest
import torch
from torch import nn
from gan_course.all import *
from gan_course.train import main


class Points:
    "Batches of a ring, from a seed, that can go on where they were."
    def __init__(self, labels=False): self.rng, self.labels = torch.Generator().manual_seed(0), labels
    def __iter__(self):
        while True:
            x = ring(32, generator=self.rng)
            yield (x, (x[:, 0] > 0).long()) if self.labels else x
    def state_dict(self): return {'rng': self.rng.get_state().tolist()}
    def load_state_dict(self, state): self.rng.set_state(torch.tensor(state['rng'], dtype=torch.uint8))


def game(*cbs, **how):
    set_seed(0)
    return GANTrainer(ManyMLP(1, 4, 2, 16), ManyMLP(1, 2, 1, 16), device='cpu', cbs=[History(10), *cbs], **how)


def test_looking_changes_nothing():
    plain, watched = game().fit(Points(), steps=60), game(Vitals(10)).fit(Points(), steps=60)
    assert all(torch.equal(a, b) for a, b in zip(plain.G.parameters(), watched.G.parameters()))
    assert watched.G.training and watched.D.training
    signs = {'wins', 'spread', 'coverage', 'moved'}
    assert signs <= {*watched.history[-1]} and not signs & {*plain.history[-1]}


def test_a_run_that_was_broken_off_has_the_same_signs(tmp_path):
    whole = game(Vitals(10, held=torch.zeros(8, 2))).fit(Points(), steps=60)
    game(Vitals(10, held=torch.zeros(8, 2))).fit(Points(), steps=30).save(tmp_path/'run')
    again = game(Vitals(10, held=torch.zeros(8, 2)))
    again = GANTrainer.load(tmp_path/'run', G=again.G, D=again.D, cbs=[History(10), Vitals(10, held=torch.zeros(8, 2))], device='cpu')
    again.fit(Points(), steps=30)
    signs = ('step', 'wins', 'spread', 'coverage', 'moved', 'known')
    assert len(again.history) == 6 and again.history[3]['moved']       # the first after the break compares with the last before it
    for one, other in zip(again.history, whole.history):               # a log keeps six digits
        for k in signs: assert one.get(k) is other.get(k) is None or one[k] == pytest.approx(other[k], rel=1e-5)


class Told(nn.Module):
    "Called with labels."
    z_dim, classes = 4, 2
    def __init__(self, ni, no):
        super().__init__()
        self.net, self.embed = ManyMLP(1, ni, no, 16), nn.Embedding(2, ni)
    def forward(self, x, y): return self.net(x + self.embed(y))


def test_conditional_games_are_looked_at_too():
    set_seed(0)
    held = ring(16), torch.zeros(16, dtype=torch.long)
    t = GANTrainer(Told(4, 2), Told(2, 1), device='cpu', cbs=[History(10), Vitals(10, held=held)]).fit(Points(labels=True), steps=30)
    assert {'wins', 'known', 'moved'} <= {*t.history[-1]}


def test_of_answers_that_are_no_single_number_only_the_shape_is_told():
    class Rows(nn.Module):
        def __init__(self): super().__init__(); self.net = ManyMLP(1, 2, 3, 16)
        def forward(self, x): return self.net(x)
    t = game(Vitals(10))
    t.last_batch, t.D = (ring(32), None), Rows()
    assert {*t.cbs[-2].look(t)} == {'spread', 'coverage'}


@pytest.mark.parametrize('options,wanted', [((), r'diagnosis  \w+: '), (('--steps', 40), 'verdict    40 steps are few')])
def test_gan_train_says_what_it_saw(tmp_path, capsys, options, wanted):
    import re
    args = ['digits', '--limit', 200, '--batch_size', 16, '--steps', 310, '--out', tmp_path/'run', *options]
    assert main([*map(str, args)]) == 0
    assert re.search(wanted, capsys.readouterr().out)
    with open(tmp_path/'run'/'history.csv') as f: rows = [*csv.DictReader(f)]
    if not options: assert {'wins', 'known', 'spread', 'coverage', 'moved'} <= {*rows[-2]} and rows[3]['moved']


def test_a_set_in_groups_has_no_held_out_samples(tmp_path, capsys):
    assert main([*map(str, ['digits', '--unconditional', '--groups', 4, '--limit', 200, '--batch_size', 16, '--steps', 60,
                            '--out', tmp_path/'run'])]) == 0
    with open(tmp_path/'run'/'history.csv') as f: rows = [*csv.DictReader(f)]
    assert rows[0]['wins'] and 'known' not in rows[0]
