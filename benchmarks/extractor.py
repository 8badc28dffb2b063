"""Does the yardstick depend on how the classifier was trained? ReLU against tanh features, two seeds each, on MNIST.

The same generator, trained for 700 steps, is scored with each.

usage: python benchmarks/extractor.py
"""
import torch
from common import save
from torch import nn
import gan_course.evaluation as evaluation
from gan_course.all import *


class Unbounded(Classifier):
    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.body[-1] = nn.ReLU()


if __name__ == '__main__':
    train, test = [image_data('mnist', split=s) for s in ('train', 'test')]
    torch.manual_seed(0)
    samples = GANTrainer(*dcgan(train.shape), lr=4e-3, cbs=[EMA(.99), LinearDecay(.4)]).fit(train, steps=700).sample(10_000)
    rows = []
    for name, cls in (('ReLU', Unbounded), ('tanh', Classifier)):
        evaluation.Classifier = cls
        for seed in (0, 1):
            judge = train_classifier(train, test, seed=seed)
            r = score(samples, train, test, judge)
            rows.append(dict(features=name, seed=seed, accuracy=judge[1]['accuracy'],
                             **{k: r[k] for k in ('frechet_distance', 'floor', 'noise', 'percent_of_noise')}))
    save('extractor', samples=10_000, generator='dcgan, 700 steps, seed 0', rows=rows)
