"""What does a GAN that knows nine digits say of the tenth? Five scores of strangeness, by the area under the ROC curve (AUROC).

  D's logit      −D(x): what looks fake to D
  inversion      the least squared error between x and G(z) over z: Adam from the nearest of 2,000 samples (AnoGAN, Schlegl et al. 2017)
  autoencoder    squared error of a picture that went through a code of 64 numbers: the layers of the same D and G, as many steps
  neighbour      distance to the nearest training picture, in pixels
  one-class SVM  in the first 50 principal components, scikit-learn's default (ν = 0.5, γ 'scale')

Each on 300 held-out pictures of the nine digits and 300 of the tenth; ½ is a coin, 1 a perfect order.

usage: python benchmarks/anomalies.py [--digits 1 4 8] [--seeds 0 1] [--steps 1500] [--processes 2] [--keep FILE]
"""
import argparse

import torch
from common import run_all, save
from features import autoencoder, game
from gan_course.all import *
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.svm import OneClassSVM


def inverted(G, x, seed, steps=120, lr=.05):
    "Squared error of each picture's best counterpart."
    pool = seeded_noise(2000, G.z_dim, seed)
    with torch.no_grad(): made = torch.cat([G(z) for z in pool.split(500)]).flatten(1)
    z = pool[torch.cdist(x.flatten(1), made).argmin(1)].clone().requires_grad_()
    opt = torch.optim.Adam([z], lr)
    for _ in range(steps):
        each = (G(z) - x).square().mean((1, 2, 3))
        opt.zero_grad(); each.sum().backward(); opt.step()
    with torch.no_grad(): return (G(z) - x).square().mean((1, 2, 3))


def work(digit, seed, steps):
    train, test = [image_data('mnist', batch_size=128, split=s, device='cpu', seed=seed) for s in ('train', 'test')]
    known = train.labels != digit
    nine = ImageBatches(train.images[known], train.labels[known], train.classes, batch_size=128, device='cpu', seed=seed)
    rng = torch.Generator().manual_seed(seed)
    def some(which): return to_float(test.images[which][torch.randperm(int(which.sum()), generator=rng)[:300]])
    x = torch.cat([some(test.labels != digit), some(test.labels == digit)])
    strange = [0]*300 + [1]*300

    G, D = game(nine, steps, seed)
    with torch.no_grad(): logit = -D(x)
    flat = to_float(nine.images).flatten(1)
    pca = PCA(50, random_state=seed).fit(flat[:10_000])
    svm = OneClassSVM().fit(pca.transform(flat[:10_000]))
    body, to_code, back = autoencoder(nine, steps, seed)
    with torch.no_grad(): lost = (back(to_code(body(x))) - x).square().mean((1, 2, 3))
    scores = {"D's logit": logit, 'inversion': inverted(G, x, seed), 'autoencoder': lost,
              'neighbour': torch.cdist(x.flatten(1), flat).min(1).values,
              'one-class SVM': -svm.decision_function(pca.transform(x.flatten(1)))}
    return {'auroc': {k: round(float(roc_auc_score(strange, v)), 4) for k, v in scores.items()}}


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--digits', nargs='+', type=int, default=[1, 4, 8])
    p.add_argument('--seeds', nargs='+', type=int, default=[0, 1])
    p.add_argument('--steps', type=int, default=1500)
    p.add_argument('--processes', type=int, default=2, help='how many runs at a time')
    p.add_argument('--keep', help='add each finished run to this file, and do not repeat those that are in it')
    a = p.parse_args()
    jobs = [dict(digit=d, seed=s, steps=a.steps) for s in a.seeds for d in a.digits]
    save('anomalies', data='mnist', steps=a.steps, seeds=a.seeds, rows=run_all(work, jobs, a.keep, a.processes))
