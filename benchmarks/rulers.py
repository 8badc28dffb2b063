"""Train the rulers that come with the package: one classifier for each named set, in gan_course/rulers/ with a card.

The same network for all (`ResidualClassifier`, narrower for the grey sets), the recipe of fast CIFAR training: SGD with Nesterov momentum,
one cycle of the rate, weight decay; pictures shifted by up to 4 pixels (grey sets: 2), photographs and clothes mirrored,
a square of 8×8 pixels cut out of photographs. Spoken digits are judged by their spectrograms, 64×64, with the plain `Classifier`, which is
quicker on large pictures; they are moved in time by up to 8 columns and in pitch by up to 2 bands, made louder or softer by up to 6 dB,
given up to 4.5 dB of noise, and a band of nine rows or columns is hidden (SpecAugment, Park et al. 2019).
Convolutions run in bfloat16 where the processor has instructions for it. The state is kept
after every round, and a run that was broken off goes on from there and gives the same weights (on a CPU; a GPU adds in varying order).
Two CPU cores take an hour for CIFAR-10, a GPU a minute or two.

`--real`: what 10,000 real training images of the large sets get by their rulers goes into the package, too, so that a first score need
not ask for it (2 minutes).

usage: python benchmarks/rulers.py [digits mnist fashion_mnist cifar10 spoken_digits] [--device cuda] [--keep FOLDER] [--rounds N] [--real]
"""
import argparse, datetime, json, time
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import torch
import torch.nn.functional as F
from common import cpu_name, root
from gan_course import evaluation
from gan_course.all import *

settings = {
    'digits': dict(widths=[16, 32, 48, 64], rounds=60, shift=2, mirror=False, cut=0, rate=.1, batch=128, size=28,
                   licence='the handwritten digits of UCI (Alpaydin & Kaynak 1998), CC BY 4.0'),
    'mnist': dict(widths=[16, 32, 48, 64], rounds=8, shift=2, mirror=False, cut=0, rate=.1, batch=128, size=28,
                  licence='MNIST (LeCun, Cortes & Burges), CC BY-SA 3.0'),
    'fashion_mnist': dict(widths=[16, 32, 48, 64], rounds=15, shift=2, mirror=True, cut=0, rate=.1, batch=128, size=28,
                          licence='Fashion-MNIST (Xiao, Rasul & Vollgraf 2017), MIT'),
    'cifar10': dict(widths=[16, 48, 128, 192], rounds=60, shift=4, mirror=True, cut=8, rate=.2, batch=256, size=32,
                    licence='CIFAR-10 (Krizhevsky 2009), no licence stated by its authors; the weights hold no picture'),
    'spoken_digits': dict(width=24, rounds=80, rate=.1, batch=128, size=64,
                          licence='Free Spoken Digit Dataset (Jackson et al. 2018), CC BY-SA 4.0; the weights hold no recording')}


def shifted(x, by, rng, comes_in='reflect'):
    "Each picture moved by up to `by` pixels; what comes in is mirrored from the border, or as `F.pad` calls it."
    n, c, h, w = x.shape
    x = F.pad(x, [by]*4, comes_in)
    dy, dx = torch.randint(0, 2*by + 1, (2, n), generator=rng).to(x.device)
    up_to = lambda k: torch.arange(k, device=x.device)
    rows, columns = dy[:, None] + up_to(h), dx[:, None] + up_to(w)
    return x[up_to(n)[:, None, None, None], up_to(c)[:, None, None], rows[:, None, :, None], columns[:, None, None, :]]


def with_hole(x, side, rng):
    "A square of `side` pixels in each picture set to the middle grey."
    n, c, h, w = x.shape
    y0, x0 = [torch.randint(0, k - side + 1, (n, 1), generator=rng).to(x.device) for k in (h, w)]
    rows, columns = torch.arange(h, device=x.device), torch.arange(w, device=x.device)
    hole = ((rows >= y0) & (rows < y0 + side))[:, None, :, None] & ((columns >= x0) & (columns < x0 + side))[:, None, None, :]
    return x.masked_fill(hole, 0.)


def changed_sound(x, rng, time=8, pitch=2, gain=.2, noise=.15, hidden=4):
    "Spectrograms N×1×64×64 of the same word at another moment, pitch and loudness, in noise, with a band hidden."
    n, _, h, w = x.shape
    def dice(*shape): return torch.rand(shape, generator=rng).to(x.device)
    def whole(by): return torch.randint(-by, by + 1, (n, 1), generator=rng).to(x.device)
    i = torch.arange(w, device=x.device) - whole(time)
    x = x.gather(3, i.clamp(0, w - 1)[:, None, None].expand_as(x)).masked_fill(((i < 0) | (i >= w))[:, None, None], -1.)
    j = (torch.arange(h, device=x.device) - whole(pitch)).clamp(0, h - 1)
    x = x.gather(2, j[:, None, :, None].expand_as(x))
    x = torch.where(x > -1, x + gain*(2*dice(n, 1, 1, 1) - 1), x)
    x = x + noise*dice(n, 1, 1, 1)*torch.randn(x.shape, generator=rng).to(x.device)
    band = (torch.arange(h, device=x.device) - h*dice(n, 1)).abs() <= hidden
    flat = dice(n, 1, 1, 1) < .5
    return x.masked_fill((band[:, None, :, None] & flat) | (band[:, None, None] & ~flat), -1.).clamp(-1, 1)


def augmented(x, s, rng):
    if 'shift' not in s: return changed_sound(x, rng)
    x = shifted(x, s['shift'], rng)
    if s['mirror']:
        coin = (torch.rand(len(x), generator=rng) < .5).to(x.device)
        x = torch.where(coin.view(-1, 1, 1, 1), x.flip(3), x)
    return with_hole(x, s['cut'], rng) if s['cut'] else x


def decayed(net, decay):
    "Weight decay for matrices and filters only."
    weights = [p for p in net.parameters() if p.ndim > 1]
    return [dict(params=weights, weight_decay=decay), dict(params=[p for p in net.parameters() if p.ndim < 2], weight_decay=0.)]


def accuracy(net, data): return (net.look(data.images, 500)[1].argmax(1) == data.labels.cpu()).float().mean().item()


def one_round(net, opt, plan, train, s, r, fast):
    rng = torch.Generator().manual_seed(1000 + r); torch.manual_seed(1000 + r)        # dropout's
    net.train(); loss_sum = 0
    order = torch.randperm(len(train.images), generator=rng).to(train.device).split(s['batch'])
    for now in [o for o in order if len(o) == s['batch']]:
        x = augmented(to_float(train.images[now]), s, rng).contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=fast): loss = F.cross_entropy(net(x), train.labels[now])
        opt.zero_grad(); loss.backward(); opt.step(); plan.step()
        loss_sum += loss.detach()*len(now)
    return (loss_sum/len(train.images)).item()


def train_ruler(name, keep, rounds=None, device='cpu'):
    s = dict(settings[name]); s['rounds'] = rounds or s['rounds']
    def load(split):
        if name in named_sounds: return pictures_of(sound_data(name, 1, split, device=device))
        return image_data(name, batch_size=1, size=s['size'], split=split, device=device)
    train, test = load('train'), load('test')
    fast = device != 'cpu' or 'amx' in Path('/proc/cpuinfo').read_text() or torch.cpu._is_avx512_bf16_supported()
    torch.manual_seed(0)
    make, size = (ResidualClassifier, s['widths']) if 'widths' in s else (Classifier, s['width'])
    net = make(train.shape[0], len(train.classes), size).to(device, memory_format=torch.channels_last)
    opt = torch.optim.SGD(decayed(net, 5e-4*s['batch']/128), s['rate'], momentum=.9, nesterov=True)
    steps = s['rounds']*(len(train.images)//s['batch'])
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, s['rate'], total_steps=steps, pct_start=.2, div_factor=10, final_div_factor=1000)
    state, start, spent = keep/f'{name}.pt', 0, 0.
    if state.exists():
        was = torch.load(state, weights_only=True, map_location=device)
        for part, key in ((net, 'net'), (opt, 'opt'), (plan, 'plan')): part.load_state_dict(was[key])
        start, spent = was['round'], was['seconds']
    for r in range(start, s['rounds']):
        t = time.perf_counter()
        loss = one_round(net, opt, plan, train, s, r, fast)
        spent += time.perf_counter() - t
        last = r + 1 == s['rounds']
        net.eval()
        right = f', accuracy {accuracy(net, test):.4f}' if r % 5 == 4 or last else ''
        print(f'{name} round {r + 1}/{s["rounds"]}: loss {loss:.3f}{right}, {spent:.0f} s', flush=True)
        torch.save(dict(net=net.state_dict(), opt=opt.state_dict(), plan=plan.state_dict(), round=r + 1, seconds=spent), f'{state}.new')
        Path(f'{state}.new').replace(state)
    write(name, net.eval(), s, train, test, spent, fast)


def write(name, net, s, train, test, seconds, fast):
    "The weights in half precision, and the card with the accuracy of these halved weights."
    half = {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items() if 'num_batches' not in k}
    net.load_state_dict({k: v.float() for k, v in half.items()}, strict=False)
    folder = root/'gan_course'/'rulers'
    card = dict(set=name, task='class', accuracy=round(accuracy(net.eval(), test), 4), n_train=len(train.images), n_test=len(test.images),
                image=list(train.shape), classes=train.classes, config=net.config, settings=s, seed=0, bfloat16=fast,
                seconds=round(seconds),
                command=f'python benchmarks/rulers.py {name}' + (' --device cuda' if train.device.type == 'cuda' else ''),
                date=datetime.date.today().isoformat(),
                hardware=dict(cpu=cpu_name(), instructions=torch.backends.cpu.get_cpu_capability(), threads=torch.get_num_threads(),
                              gpu=torch.cuda.get_device_name() if train.device.type == 'cuda' else None),
                versions=dict(torch=torch.__version__), data_licence=s.pop('licence'))
    save_tensors(folder/f'{name}.safetensors', {k: v.cpu() for k, v in half.items()}, config=net.config)
    save_json(folder/f'{name}.json', card)
    print(json.dumps(card))


def keep_what_real_gets(names=('mnist', 'fashion_mnist', 'cifar10')):
    "What `score` asks of real images alone, without the features, in gan_course/rulers/."
    folder = root/'gan_course'/'rulers'
    for old in (*folder.glob('real-*'), *folder.glob('normal-*')): old.unlink()
    for name in names:
        train, test = [image_data(name, batch_size=1, size=settings[name]['size'], split=s, device='cpu') for s in ('train', 'test')]
        with TemporaryDirectory() as cache, patch.object(evaluation, 'cache_dir', lambda: Path(cache)):
            score(test.images[:10_000], train, test)
            for path in sorted(Path(cache).glob('features/*.safetensors')):
                tensors = load_tensors(path)[0]
                if tensors.pop('radii', None) is not None: tensors['features'] = tensors['features'][:20]
                save_tensors(folder/path.name, tensors)
                print(name, path.name, (folder/path.name).stat().st_size, flush=True)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('sets', nargs='*', default=list(settings))
    p.add_argument('--keep', default='runs/rulers', help='folder of the states')
    p.add_argument('--rounds', type=int)
    p.add_argument('--device', default='cpu')
    p.add_argument('--real', action='store_true')
    a = p.parse_args()
    if a.real: raise SystemExit(keep_what_real_gets())
    keep = Path(a.keep); keep.mkdir(parents=True, exist_ok=True)
    for name in a.sets: train_ruler(name, keep, a.rounds, a.device)
