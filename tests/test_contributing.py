"The second example of CONTRIBUTING.md, run as it stands: a loss, a network and a callback. (The first one: test_kinds.py.)"
import re
from pathlib import Path

import pytest
import torch

root = Path(__file__).resolve().parent.parent
example = re.search(r'```python\n(import math.*?)```', (root/'CONTRIBUTING.md').read_text(encoding='utf-8'), re.S)[1]


@pytest.fixture
def names():
    "What the example defines, registered for the time of a test."
    import gan_course.all        # fills the registry, before it is looked at
    from gan_course import core, objectives
    kept, names = [(d, dict(d)) for d in (core.builders, objectives.losses)], {'__name__': 'example'}
    exec(compile(example, 'CONTRIBUTING.md', 'exec'), names)
    yield names
    for d, before in kept: d.clear(); d.update(before)


def test_loss_by_hand(names):
    loss = names['get_loss']('absolute')
    assert loss.d(torch.tensor([1., 3.]), torch.tensor([0., -4.])) == 3 and loss.g(torch.tensor([0., 2.]), None) == 1


def test_they_train_and_load_by_name(names, tmp_path):
    data = names['image_data']('digits', batch_size=32, device='cpu')
    G, D = names['flat'](data.shape)
    trainer = names['GANTrainer'](G, D, loss='absolute', cbs=[names['ClipD'](.04)], device='cpu').fit(data, steps=20)
    assert max(p.abs().max() for p in D.parameters()) <= .04 < .05 <= max(p.abs().max() for p in G.parameters())
    trainer.save(tmp_path/'run')
    again = names['GANTrainer'].load(tmp_path/'run', cbs=[names['ClipD'](.04)], device='cpu')
    assert torch.equal(again.sample(4, seed=0), trainer.sample(4, seed=0))


def test_a_bad_limit_is_turned_away(names):
    with pytest.raises(names['UserError'], match='limit must be'): names['ClipD'](0)


def test_the_command_knows_the_loss(names, call):
    code, out, lines = call('train', 'digits', '--unconditional', '--steps', 3, '--loss', 'absolute', '--out', 'run', '--device', 'cpu')
    assert code == 0 and 'absolute' in out, (out, lines)
