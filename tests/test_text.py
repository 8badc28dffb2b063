"Text by the commands: named sets and files of one's own, three ways to train, exact resume, mistakes in one line."
import json

import pytest
import torch

few = ('--steps', 6, '--batch_size', 32, '--device', 'cpu')


@pytest.fixture
def file(tmp_path):
    "Letters from three scripts, one an emoji of three code points; CRLF and a BOM."
    lines = [f'{word}{a}{b}' for a in 'abcdefg' for b in 'hijklmn' for word in ('añil', 'שלום', '👩‍🚀')]
    (tmp_path/'mine.txt').write_bytes('\r\n'.join(lines).encode('utf-8-sig'))
    return tmp_path/'mine.txt'


@pytest.mark.parametrize('arch', ['likelihood', 'transformer', 'seqgan', 'gumbel'])
def test_a_file_is_trained_sampled_and_scored(call, file, tmp_path, arch):
    code, out, lines = call('train', file, '--arch', arch, '--out', 'run', *few)
    assert code == 0 and len(lines) == 1 and 'characters, not words' in lines[0], lines
    record = json.loads((tmp_path/'run'/'config.json').read_text())
    assert (record['data']['kind'], record['recipe'], record['data']['unit']) == ('text', arch, 'characters')
    assert '👩‍🚀' in record['data']['vocabulary']
    assert len(next((tmp_path/'run'/'samples').iterdir()).read_text(encoding='utf-8').splitlines()) == 20
    for out in ('a.txt', 'a.json'): assert call('sample', 'run', '--n', 7, '--out', out)[0] == 0
    written = (tmp_path/'a.txt').read_text(encoding='utf-8').split('\n')
    assert len(written) == 8 and json.loads((tmp_path/'a.json').read_text(encoding='utf-8')) == written[:7]
    code, out, _ = call('eval', 'run', '--n', 20, '--json', '--device', 'cpu')
    result = json.loads(out)
    assert code == 0 and 0 < result['held_out_nats'] < 5 and set(result['real']) <= set(result)
    assert 'held-out lines' in call('eval', 'run', '--n', 20, '--device', 'cpu')[1]


@pytest.mark.parametrize('arch', ['likelihood', 'transformer', 'seqgan', 'gumbel'])
def test_a_resumed_run_is_the_same(call, file, tmp_path, arch):
    common = ('--batch_size', 32, '--device', 'cpu')
    assert call('train', file, '--arch', arch, '--out', 'a', '--steps', 12, *common)[0] == 0
    # The plan is of the whole run, so that both know how far they are
    from gan_course.callbacks import Callback
    from gan_course import text
    class Stop(Callback):
        def after_step(self, t):
            if t.step == 10: t.stop()
    before = text.TextRecipe.callbacks
    try:
        text.TextRecipe.callbacks = lambda self, settled: [*before(self, settled), Stop()]
        call('train', file, '--arch', arch, '--out', 'b', '--steps', 12, *common)
    finally: text.TextRecipe.callbacks = before
    assert call('train', '--out', 'b', '--resume', '--device', 'cpu')[0] == 0
    for run in 'ab': assert call('sample', run, '--n', 9, '--out', f'{run}.txt')[0] == 0
    assert (tmp_path/'a.txt').read_text() == (tmp_path/'b.txt').read_text()


def test_mistakes_are_one_line(call, file, tmp_path):
    (tmp_path/'empty.txt').write_text('')
    (tmp_path/'picture.png').write_bytes(b'\x89PNG\r\n\x1a\n\0\0')
    for argv, words in ((('empty.txt',), 'is empty'), (('picture.png',), 'no text file'), ((file, '--arch', 'dcgan'), 'for images'),
                        ((file, '--penalty', 'r1'), 'takes no penalty'), (('name',), "Did you mean 'names'")):
        code, _, lines = call('train', *argv, '--out', 'run', *few)
        assert code and words in lines[-1] and not [l for l in lines[:-1] if 'note:' not in l], (argv, lines)
        assert not (tmp_path/'run').exists()


def test_token_values_are_means_of_the_reader():
    "With a reader that counts, the value of a token is the mean over how lines go on, which is known for a coin."
    from gan_course.text import Writer, token_values
    torch.manual_seed(0)
    G = Writer(3, 4)
    with torch.no_grad():
        G.out.weight.zero_(); G.out.bias.copy_(torch.tensor([-30., 0., 0.]))      # 1 or 2, by a fair coin, and no end
    D = lambda x: torch.logit((x == 2).float().mean(1).clamp(1e-6, 1 - 1e-6))      # σ of it: the share of twos
    line = torch.tensor([[2, 1, 2, 2]])
    value = token_values(G, D, line, rollouts=20_000)[0]
    assert torch.allclose(value, torch.tensor([2.5, 2, 2.5, 3])/4, atol=.01), value


def test_gradients_of_the_writer_follow_the_reward():
    "The policy gradient makes a writer write what is paid for."
    from gan_course.all import Writer, TextTrainer
    class Pays(torch.nn.Module):
        def __init__(self): super().__init__(); self.w = torch.nn.Parameter(torch.zeros(()))
        def forward(self, x): return 8*(x == 1).float().mean(1) - 4 + 0*self.w
    torch.manual_seed(0)
    data = [torch.randint(1, 3, (64, 6))]
    t = TextTrainer(Writer(3, 6, width=16), Pays(), alone=0., lr=1e-2, betas=(.5, .99), device='cpu').fit(data, steps=60)
    assert (t.sample(200) == 1).float().mean() > .8


@pytest.mark.parametrize('options', [dict(way='policy', kl=.5, rollouts=2), dict(way='policy', baseline=False, rollouts=2),
                                     dict(way='gumbel', tau=.7)], ids=str)
def test_a_trainer_goes_on_by_its_record(options, tmp_path):
    "From Python, without a recipe: the record says which way it was, and the anchor of the KL term is that of the first run."
    from gan_course.all import Batches, TextTrainer, UserError, build, set_seed
    lines = torch.randint(1, 9, (64, 6), generator=torch.Generator().manual_seed(0))
    def data(): return Batches(lines, batch_size=16, seed=0, device='cpu')
    def fresh():
        set_seed(0)
        pair = build(dict(arch='writer', shape=[6], units=9, width=16, d_width=8))
        return TextTrainer(*pair, alone=0., warm=0., seed=0, device='cpu', **options)
    whole = fresh().fit(data(), steps=6)
    half = fresh()
    half.fit(data(), steps=3).save(tmp_path/'run')
    other = TextTrainer.load(tmp_path/'run', device='cpu')
    for k, v in options.items(): assert getattr(other, k) == v
    other.fit(data(), steps=3)
    for a, b in zip(whole.G.parameters(), other.G.parameters()): assert torch.equal(a, b)
    if 'kl' in options: assert other.anchor.divergence(other.G, lines) > 0
    with pytest.raises(UserError, match='kl is for'): TextTrainer(*build(dict(arch='writer', shape=[6], units=9)), 'gumbel', kl=1.)


def test_kl_holds_a_writer_back():
    "The same updates with a strong KL term end nearer to the start."
    from gan_course.all import Batches, TextTrainer, build, set_seed
    lines = torch.randint(1, 9, (64, 6), generator=torch.Generator().manual_seed(0))
    moved = {}
    for kl in (0., 10.):
        set_seed(0)
        G, D = build(dict(arch='writer', shape=[6], units=9, width=16, d_width=8))
        t = TextTrainer(G, D, alone=0., warm=0., kl=kl, lr=1e-2, seed=0, device='cpu')
        t.anchor.divergence(G, lines)
        moved[kl] = t.fit(Batches(lines, batch_size=16, seed=0, device='cpu'), steps=20).anchor.divergence(G, lines).item()
    assert moved[10.] < moved[0.]/3, moved
