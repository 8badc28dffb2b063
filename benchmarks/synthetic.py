"""Are a generator's pictures worth anything as training data? Classifiers of MNIST, trained on real pictures, on samples, and on both.

  shares   n real pictures of each class. A conditional DCGAN, by gan_train's recipe, sees these alone; a classifier is trained on real
           pictures, on real pictures changed at random, on samples, and on batches of which a share is samples
  rare     ten pictures of one digit and 2,000 of each other: the recall of that digit, and all errors, with nothing done, with that digit
           drawn as often as the others, with class weights, with random changes of all pictures, and with samples in its place

The classifier is a small convolutional network, always for as many updates. Errors and recall are those on the test split.

usage: python benchmarks/synthetic.py [--steps 1500] [--seeds 0 1 2] [--processes 2] [--keep FILE]
"""
import argparse

import torch
import torch.nn.functional as F
from common import run_all, save
from gan_course.all import *
from time_to_quality import Quiet

batch, updates = 128, 1500


def generator(images, labels, steps, seed):
    "Of a conditional DCGAN that sees these pictures alone: a function of labels that gives samples as bytes."
    data = ImageBatches(images, labels, [*map(str, range(10))], batch_size=min(batch, len(images)), device='cpu', seed=seed)
    set_seed(seed)
    G, D = dcgan(data.shape, classes=10, d_norm='none')
    t = GANTrainer(G, D, penalty='r1', penalty_every=4, lr=2e-3, seed=seed, device='cpu', cbs=[EMA(.999), LinearDecay(.4), Quiet()])
    t.fit(data, steps=steps)
    return lambda y: to_uint8(sample_from(t.generator, G.z_dim, len(y), seed + 1, labels=y))


def classifier(draw, seed, weights=None, change=None):
    "A network after `updates` batches of (bytes, labels) from `draw(rng)`."
    set_seed(seed)
    net = Classifier(1, 10).to(memory_format=torch.channels_last).train()
    opt = torch.optim.AdamW(net.parameters(), 2e-3, betas=(.9, .98), weight_decay=1e-2)
    rate = torch.optim.lr_scheduler.OneCycleLR(opt, 6e-3, total_steps=updates)
    rng = torch.Generator().manual_seed(seed)
    for _ in range(updates):
        x, y = draw(rng)
        x = to_float(x)
        loss = F.cross_entropy(net(x if change is None else change(x)), y, weight=weights)
        opt.zero_grad(); loss.backward(); opt.step(); rate.step()
    return net.eval()


def from_sets(*sets):
    "Batches with a part of each set; a set is (images, labels, share)."
    def draw(rng):
        xs, ys, left = [], [], batch
        for i, (x, y, share) in enumerate(sets):
            n = left if i == len(sets) - 1 else round(batch*share)
            pick = torch.randint(len(y), (n,), generator=rng)
            xs.append(x[pick]); ys.append(y[pick]); left -= n
        return torch.cat(xs), torch.cat(ys)
    return draw


def judged(net, test):
    "Errors, and the recall of each class."
    right = net.look(test.images, 500)[1].argmax(1) == test.labels
    return dict(errors=int((~right).sum()), recall=[round(right[test.labels == k].float().mean().item(), 4) for k in range(10)])


def shares(train, test, n, seed, steps):
    per = [(train.labels == k).nonzero()[:, 0] for k in range(10)]
    rng = torch.Generator().manual_seed(seed)
    mine = torch.cat([p[torch.randperm(len(p), generator=rng)][:n or None] for p in per])
    x, y = train.images[mine], train.labels[mine]
    made = torch.arange(10).repeat(2000)
    fakes = generator(x, y, steps, seed)(made)
    numbers = score(fakes[:10_000], train, test)
    real, samples = (x, y, 1.), (fakes, made, 1.)
    rows = {'real': classifier(from_sets(real), seed), 'real, changed': classifier(from_sets(real), seed, change=warped),
            'samples': classifier(from_sets(samples), seed)}
    for share in (.2, .5, .8): rows[f'{100*share:.0f} % samples'] = classifier(from_sets((fakes, made, share), real), seed)
    rows['50 % samples, changed'] = classifier(from_sets((fakes, made, .5), real), seed, change=warped)
    return dict(results={k: judged(net, test) for k, net in rows.items()},
                generator={k: numbers[k] for k in ('frechet_distance', 'floor', 'precision', 'coverage')})


def rare(train, test, digit, seed, steps, few=10, many=2000):
    rng = torch.Generator().manual_seed(seed)
    per = [(train.labels == k).nonzero()[:, 0] for k in range(10)]
    mine = [p[torch.randperm(len(p), generator=rng)][:few if k == digit else many] for k, p in enumerate(per)]
    x, y = train.images[torch.cat(mine)], train.labels[torch.cat(mine)]
    of_rare = y == digit
    alone, rest = (x[of_rare], y[of_rare], .1), (x[~of_rare], y[~of_rare], .9)
    made = torch.full((2000,), digit)
    fakes = generator(x, y, steps, seed)(made)
    weights = torch.ones(10); weights[digit] = many/few
    whole = from_sets((x, y, 1.))
    rows = {'nothing done': classifier(whole, seed), 'drawn as often': classifier(from_sets(alone, rest), seed),
            'class weights': classifier(whole, seed, weights=weights/weights.mean()),
            'drawn as often, changed': classifier(from_sets(alone, rest), seed, change=warped),
            'samples in its place': classifier(from_sets((fakes, made, .1), rest), seed),
            'half of it samples': classifier(from_sets((fakes, made, .05), (*alone[:2], .05), rest), seed),
            'half of it samples, changed': classifier(from_sets((fakes, made, .05), (*alone[:2], .05), rest), seed, change=warped)}
    return dict(results={k: judged(net, test) for k, net in rows.items()})


def work(part, n, seed, steps):
    train, test = [image_data('mnist', split=s, device='cpu') for s in ('train', 'test')]
    return shares(train, test, n, seed, steps) if part == 'shares' else rare(train, test, n, seed, steps)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--steps', type=int, default=1500, help='of the generator')
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    p.add_argument('--processes', type=int, default=2, help='how many runs at a time')
    p.add_argument('--keep', help='add each finished run to this file, and do not repeat those that are in it')
    a = p.parse_args()
    # n = 0: all there are; for `rare`, n is the digit
    jobs = [dict(part=part, n=n, seed=s, steps=a.steps) for s in a.seeds for part, n in
            (('shares', 20), ('rare', 8), ('shares', 100), ('shares', 1000), ('shares', 0), ('rare', 4))]
    save('synthetic', data='mnist', steps=a.steps, updates=updates, seeds=a.seeds, of=10_000, rows=run_all(work, jobs, a.keep, a.processes))
