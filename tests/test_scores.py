"What scores and memorisation take, refuse and mean: ranges, the pictures that were seen, small sets."
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gan_course.core import UserError
from gan_course.data import data_or_digits, image_data, to_float
from gan_course.evaluation import Classifier, inception_fid, memorisation, nearest, report, score

TRAIN, TEST = [image_data('digits', 1, split=s, device='cpu') for s in ('train', 'test')]
BYTES = TRAIN.images[:200]
torch.manual_seed(0)
JUDGE = Classifier(1, 10).eval(), dict(task='class', accuracy=.5)

def as_float(images): return to_float(images.clone())
def scored(samples, **options): return score(samples, TRAIN, TEST, JUDGE, **options)

KNOWN, UNSEEN = as_float(TRAIN.images[:500]), as_float(TEST.images[:180])
FUNCTIONS = {
    'score': lambda x: scored(x)['frechet_distance'],
    'score, seen': lambda x: scored(BYTES, seen=x)['memorisation'],
    'memorisation, samples': lambda x: memorisation(x, KNOWN, UNSEEN),
    'memorisation, train': lambda x: memorisation(UNSEEN, x, KNOWN),
    'memorisation, held out': lambda x: memorisation(KNOWN[:50], KNOWN, x),
    'nearest, a': lambda x: nearest(x, KNOWN)[0].tolist(),
    'nearest, b': lambda x: nearest(KNOWN[:50], x)[0].tolist(),
    'look': lambda x: JUDGE[0].look(x)[0].flatten().tolist(),
}
RIGHT = {
    'float': as_float(BYTES), 'float64': as_float(BYTES).double(), 'numpy': as_float(BYTES).numpy(),
    'numpy bytes': BYTES.numpy(), 'read-only numpy': np.broadcast_to(BYTES.numpy(), BYTES.shape),
    'reversed twice': BYTES.numpy()[::-1].copy()[::-1],
}
WRONG = {
    '0…255': (BYTES.float(), 'x/127.5 - 1'), '0…255, numpy': (BYTES.numpy().astype('float64'), 'x/127.5 - 1'),
    '0…1': (BYTES/255, '2*x − 1'), '-128…127': (BYTES.float() - 128, 'from −1 to 1'),
    'int64': (BYTES.long(), 'not int64'), 'bool': (BYTES > 99, 'not bool'), 'NaN': (as_float(BYTES)*float('nan'), 'NaN'),
    'empty': (BYTES[:0], 'at least one'), 'other size': (BYTES[..., :20], ''), 'colour': (BYTES.expand(-1, 3, -1, -1), ''),
    'channels last': (BYTES.permute(0, 2, 3, 1), ''), 'text': ('pictures', 'one array'), 'list': ([BYTES, 3], 'one array'),
}

@pytest.mark.parametrize('function', FUNCTIONS)
@pytest.mark.parametrize('kind', RIGHT)
def test_two_kinds_are_taken_and_left_as_they_are(function, kind):
    given = RIGHT[kind]
    values = given.numpy() if torch.is_tensor(given) else given
    before = values.copy()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert FUNCTIONS[function](given) == pytest.approx(FUNCTIONS[function](BYTES), abs=1e-4)
    assert (values == before).all()

@pytest.mark.parametrize('function', FUNCTIONS)
@pytest.mark.parametrize('kind', WRONG)
def test_other_kinds_get_one_line(function, kind):
    given, said = WRONG[kind]
    if function == 'look' and kind == '0…1':       # nothing to compare with: a note
        with pytest.warns(UserWarning, match='2.x − 1'): FUNCTIONS[function](given)
        return
    if function == 'look' and kind == 'other size': return     # it looks at any size
    with pytest.raises(UserError) as e: FUNCTIONS[function](given)
    assert said in str(e.value) and '\n' not in str(e.value)

def test_bytes_that_were_cast_from_0_to_1_are_refused():
    with pytest.raises(UserError, match='255.x'): scored((BYTES/255).byte())
    with pytest.raises(UserError, match='255.x'): memorisation((BYTES/255).byte(), KNOWN, UNSEEN)

def test_inception_fid_refuses_before_it_loads_anything():
    for kind in ('0…255', '0…1', 'NaN', 'int64'):
        with pytest.raises(UserError) as e: inception_fid(WRONG[kind][0], TEST.images)
        assert WRONG[kind][1] in str(e.value)

def test_a_flat_picture_is_in_any_unit():
    assert scored(torch.zeros(4, 1, 28, 28))['memorisation'] < .1

def test_points_have_no_unit_but_bytes_among_them_do():
    points = torch.randn(3, 100, 5)*50
    assert .3 < memorisation(*points) < .7
    assert memorisation(points[0][:30], points[0], points[1]) == 1
    flat = BYTES.flatten(1)
    assert memorisation(flat, KNOWN.flatten(1), UNSEEN.flatten(1)) == 1
    with pytest.raises(UserError, match='x/127.5 - 1'): memorisation(flat, flat.float(), flat.float())

def test_splits_that_are_no_batches_are_refused():
    with pytest.raises(UserError, match='ImageBatches'): score(BYTES, TRAIN.images, TEST, JUDGE)
    with pytest.raises(UserError, match='ImageBatches'): score(BYTES, TRAIN, TEST.images, JUDGE)

def noisy(images, std, n=200):
    images = as_float(images)[torch.arange(n) % len(images)]
    return (images + std*torch.randn(images.shape, generator=torch.Generator().manual_seed(1))).clamp(-1, 1)

def test_copies_of_the_pictures_that_were_seen():
    few = image_data('digits', 1, limit=20, device='cpu')
    for seen in (few, few.images, few.images.numpy(), as_float(few.images)):
        r = scored(noisy(few.images, .22), seen=seen)
        assert r['memorisation'] > .97 and r['protocol']['memorisation_against'] == 20
    r = scored(noisy(few.images, .22))
    assert r['protocol']['memorisation_against'] == len(TRAIN.images)
    for wrong, said in ((few.images[:1], 'one training image'), (few.images[..., :20], None)):
        if said: assert said in scored(BYTES, seen=wrong)['protocol']['not_measured']['memorisation']
        else:
            with pytest.raises(UserError, match='one shape'): scored(BYTES, seen=wrong)

@pytest.mark.parametrize('limit, held', [(None, 180), (20, 180), (280, 31), (900, 100)])
def test_memorisation_means_copies_and_nothing_else(limit, held):
    known, test = TRAIN.images[:limit], as_float(TEST.images)
    unseen, new = test[:held], test[180:]
    mean = as_float(known).mean(0, keepdim=True)
    g = torch.Generator().manual_seed(0)
    m = lambda x: memorisation(x, known, unseen)
    assert m(known[:200]) > .999 and m(noisy(known, .1)) > .99 and m(noisy(known, .22)) > .9
    assert .35 < m(new) < .65
    nothing = dict(
        grey=torch.zeros(1, 1, 28, 28), black=-torch.ones(1, 1, 28, 28), white=torch.ones(1, 1, 28, 28), mean=mean,
        mean_and_noise=(mean + .1*torch.randn(100, 1, 28, 28, generator=g)).clamp(-1, 1),
        blurred=F.avg_pool2d(new, 7, 1, 3, count_include_pad=False), noise=torch.rand(100, 1, 28, 28, generator=g)*2 - 1,
        smooth=F.interpolate(torch.randn(100, 1, 4, 4, generator=g), size=28, mode='bicubic').tanh())
    # What is blurred has less in it that could differ: at most like new
    assert {name: v for name, x in nothing.items() if (v := m(x)) > dict(blurred=.55).get(name, .3)} == {}

def test_a_picture_that_occurs_twice_hides_no_copies():
    known = torch.cat([TRAIN.images[:100]]*2)
    assert memorisation(noisy(known[:100], .22), known, UNSEEN) > .9 and memorisation(known[:100], known, UNSEEN) > .999

@pytest.mark.parametrize('n', [2, 31, 199, 200])
def test_neighbours_are_asked_only_in_sets_that_are_large_enough(n):
    r = scored(BYTES[:n])
    names = ('precision', 'recall', 'density', 'coverage')
    assert all((r[k] is None) == (r['real'][k] is None) == (n < 200) for k in names)
    assert ('at least 200' in report(r)) == (n < 200)
    assert ('precision, recall, density, coverage' in r['protocol']['not_measured']) == (n < 200)

def test_few_held_out_pictures_refuse_them_too():
    test = image_data('digits', 1, split='test', limit=31, device='cpu')
    r = score(BYTES, TRAIN, test, JUDGE)
    assert r['precision'] is None and 'not 31' in report(r) and r['memorisation'] == 1

def test_report_says_worse_than_noise():
    r = scored(BYTES)
    assert 'worse than noise' not in report(r)
    assert 'worse than noise' in report({**r, 'frechet_distance': 1.01*r['noise']})

def test_report_reads_results_of_earlier_versions():
    r = scored(BYTES)
    for key in ('not_measured', 'memorisation_against', 'memorisation_by'): del r['protocol'][key]
    assert 'memorisation' in report(r)

def test_flat_pictures_are_no_copies_of_those_with_the_least_contrast():
    "Photographs differ in contrast; the palest one is nearest to everything flat."
    g = torch.Generator().manual_seed(0)
    def pale(images):
        x = as_float(images)/2
        contrast = torch.rand(len(x), 1, 1, 1, generator=g)*.6 + .4
        contrast[:1] = .1
        return (x - x.mean((1, 2, 3), keepdim=True))*contrast
    known, unseen = pale(TRAIN.images[:200]), pale(TEST.images)
    flat = torch.tensor([-.02, 0, .02]).view(3, 1, 1, 1).expand(3, 1, 28, 28)
    assert memorisation(flat.flatten(1), known.flatten(1), unseen.flatten(1)) > .9      # what bare pixels say
    assert memorisation(flat, known, unseen) < .1 and memorisation(known.mean(0, keepdim=True), known, unseen) < .1
    assert memorisation(known/2, known, unseen) > .95                                  # another contrast hides nothing


def test_kept_numbers_of_another_version_are_made_again(tmp_path, monkeypatch):
    import torch
    from gan_course import evaluation
    monkeypatch.setattr(evaluation, 'cache_dir', lambda: tmp_path)
    asked = []
    def version(scale):
        def make(n=None):
            asked.append(n)
            return dict(x=scale*torch.arange(3000.)[:n])
        return make
    def last(scale): return evaluation._kept('a', 3000, version(scale))['x'][-1].item()
    assert last(1) == 2999 and asked == [None]              # nothing there yet
    assert last(1) == 2999 and asked == [None, 20]          # kept; its beginning is compared
    assert last(2) == 5998 and asked == [None, 20, 20, None]
    (tmp_path/'features'/'a.safetensors').write_bytes(b'no')
    assert last(2) == 5998 and last(2) == 5998
    evaluation._kept('small', 100, version(1))
    assert not (tmp_path/'features'/'small.safetensors').exists()


def test_what_comes_with_the_package_is_what_real_images_get(tmp_path, monkeypatch):
    "A first score of MNIST takes the numbers of real images from the package; made anew they are the same."
    from gan_course import evaluation
    monkeypatch.setattr(evaluation, 'cache_dir', lambda: tmp_path)
    train, test = [data_or_digits('mnist', split=s, batch_size=1, device='cpu') for s in ('train', 'test')]
    if train.name != 'mnist': pytest.skip('MNIST is not here')
    made, looked = evaluation._what_real_gets, []
    def remembered(*a):
        looked.append((a, made(*a)))
        return looked[-1][1]
    monkeypatch.setattr(evaluation, '_what_real_gets', remembered)
    given = []
    kept = evaluation._of_real
    monkeypatch.setattr(evaluation, '_of_real', lambda *a: given.append((a, kept(*a))) or given[-1][1])
    r = score(train.images[-10_000:], train, test)
    assert not looked                                         # the package had them
    (asked, brought), = given
    anew = remembered(*asked)
    assert anew.keys() == brought.keys()
    for k, v in anew.items(): torch.testing.assert_close(brought[k], v, rtol=1e-4, atol=1e-4)
    assert r['floor'] == pytest.approx(anew['floor'].item(), rel=1e-4) and r['memorisation'] > .9
