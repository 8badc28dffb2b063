"The house is in order: README, modules, pages, results and metadata agree with each other."
import ast, json, os, re, subprocess, sys
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent
pages = sorted(p for p in (root/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts)
layers = ['core', 'animation', 'widgets', 'objectives', 'sampling', 'checks', 'callbacks', 'loop', 'training', 'runs', 'folders', 'data',
          'sounds', 'texts', 'groups', 'networks', 'augment',
          'evaluation', 'kinds', 'recipes', 'recognition', 'text', 'speech', 'stability', 'applications',
          'commands', 'train', 'sample', 'evaluate', 'say', 'all']


def test_readme_is_made_from_index():
    r = subprocess.run([sys.executable, root/'tools'/'readme.py', '--check'], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr


def test_readme_check_notices_a_difference(tmp_path):
    for f in ('tools/readme.py', 'nbs/index.ipynb', 'README.md'):
        (tmp_path/f).parent.mkdir(parents=True, exist_ok=True); (tmp_path/f).write_bytes((root/f).read_bytes())
    (tmp_path/'README.md').write_text((tmp_path/'README.md').read_text() + 'more\n')
    assert subprocess.run([sys.executable, tmp_path/'tools'/'readme.py', '--check'], capture_output=True).returncode == 1


def imports(module):
    "Modules of the package that `module` imports, anywhere in its code."
    found = set()
    for node in ast.walk(ast.parse((root/'gan_course'/f'{module}.py').read_text())):
        if isinstance(node, ast.ImportFrom):
            if node.level: found |= {node.module.split('.')[0]} if node.module else {a.name for a in node.names}
            elif node.module and node.module.startswith('gan_course.'): found.add(node.module.split('.')[1])
        elif isinstance(node, ast.Import): found |= {a.name.split('.')[1] for a in node.names if a.name.startswith('gan_course.')}
    return found & set(layers)


@pytest.mark.parametrize('module', layers)
def test_modules_import_only_those_above(module):
    assert imports(module) <= set(layers[:layers.index(module)])
    if module == 'training': assert not imports(module) & {'data', 'networks'}      # any two modules and any batches will do


def test_every_module_is_known_here():
    assert {p.stem for p in (root/'gan_course').glob('*.py')} - {'__init__', '_modidx'} == set(layers)


@pytest.fixture(scope='module')
def left_open(tmp_path_factory):
    """For each module, what its code names and it does not have when nothing else of the package has been imported. What all of them
    lean on is loaded once, by a process that then splits for each."""
    code = '''
import builtins, dis, importlib, json, os, sys, types
import matplotlib.pyplot, scipy.stats, torch, torchmetrics, torchvision, IPython
def names(code):
    for i in dis.get_instructions(code):
        if i.opname in ("LOAD_GLOBAL", "LOAD_NAME"): yield i.argval
    for c in code.co_consts:
        if isinstance(c, types.CodeType): yield from names(c)
for name in sys.argv[1:]:
    if os.fork(): os.wait(); continue
    m = importlib.import_module(f"gan_course.{name}")
    missing = {n for n in names(compile(open(m.__file__).read(), "m", "exec")) if not hasattr(m, n) and not hasattr(builtins, n)}
    print(json.dumps([name, sorted(missing - {"__file__"})]), flush=True)
    os._exit(0)'''
    r = subprocess.run([sys.executable, '-c', code, *layers], capture_output=True, text=True, cwd=tmp_path_factory.mktemp('alone'))
    return dict(json.loads(line) for line in r.stdout.splitlines()), r.stderr


@pytest.mark.parametrize('module', layers)
def test_module_imports_alone(module, left_open):
    "No exported code leans on something that only its page imports."
    found, errors = left_open
    assert module in found, errors[-3000:]
    local = set(found[module])
    assert not local - class_level_names(module), local


def class_level_names(module):
    "Names that are looked up in a class body while it is made (fields, methods)."
    found = set()
    for node in ast.walk(ast.parse((root/'gan_course'/f'{module}.py').read_text())):
        if isinstance(node, ast.ClassDef):
            found |= {n.id for b in node.body for n in ast.walk(b) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            found |= {n.name for n in node.body if hasattr(n, 'name')}
    return found | {'__module__', '__qualname__', '__name__', '__annotations__', '__conditional_annotations__', '__classdict__',
                    '__static_attributes__', '__firstlineno__'}


def source(cell): return ''.join(cell['source'])


@pytest.mark.parametrize('page', pages, ids=lambda p: p.stem)
def test_page_is_finished(page):
    cells = json.loads(page.read_text())['cells']
    code = [c for c in cells if c['cell_type'] == 'code' and source(c).strip()]
    assert page.stat().st_size < 2**20
    assert source(cells[0]).startswith('# ') and '\n> ' in source(cells[0]), 'title and promise'
    assert not any(o['output_type'] == 'error' for c in code for o in c['outputs'])
    assert not any(re.search(r'#\|\s*(eval:\s*false|notest|slow)', source(c)) for c in code), 'a cell is skipped'
    printed = [''.join(o['text']) for c in code for o in c['outputs'] if o['output_type'] == 'stream']
    assert not any(re.search(r'\d+%\|', text) for text in printed), 'a progress bar'

    drawn = [c for c in code if any('image/png' in o.get('data', {}) for o in c['outputs'])]
    without = [source(c)[:60] for c in drawn if 'fig-alt' not in source(c)]
    assert not without, without
    silent = [source(c) for c in code if not any(c['outputs'])]
    shows = [s for s in silent if not re.search(r'#\|\s*(export|default_exp|hide)', s)
             and re.search(r'^\s*(show_images|plot_history)\(', s, re.M)]
    assert not shows, 'a figure without its output: the page was not run'


@pytest.mark.parametrize('page', [p for p in pages if 'plt.' in p.read_text()], ids=lambda p: p.stem)
def test_figures_read_on_light_and_on_dark(page):
    "The page calls `house_style`, and names no colour that vanishes on one of the two grounds."
    code = [source(c) for c in json.loads(page.read_text())['cells'] if c['cell_type'] == 'code']
    assert any(re.search(r'^house_style\(\)', c, re.M) for c in code)
    vanish = r"""(color|ec|fc)='(k|w|black|white|silver|darkorange|tab:(orange|cyan|pink|olive))'|'k[:-]+'"""
    # Black letters that stand on a coloured bar have a ground of their own
    bad = [l for c in code for l in c.splitlines() if re.search(vanish, l) and not l.strip().startswith("color='black')")]
    assert not bad, bad


def test_stored_figures_keep_their_looks(monkeypatch):
    "`packed` in tools/run_pages.py: transparent stays transparent, colours stay within what an eye sees, and grey ones take fewer bytes."
    import io
    import numpy as np
    from PIL import Image
    monkeypatch.syspath_prepend(str(root/'tools'))
    from run_pages import packed
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (40, 40, 4), dtype=np.uint8)          # colours and transparency of all degrees
    for few in (False, True):
        if few: pixels = pixels//128*128
        pixels[:9, :, 3], pixels[9:18, :, 3] = 0, 255
        before, after = Image.fromarray(pixels), Image.open(io.BytesIO(packed(Image.fromarray(pixels)))).convert('RGBA')
        assert np.asarray(after)[:9, :, 3].max() == 0
        assert (np.asarray(after)[9:18] == pixels[9:18]).all()
        for ground in ('white', '#222'):
            seen = [np.asarray(Image.alpha_composite(Image.new('RGBA', before.size, ground), i)).astype(int) for i in (before, after)]
            assert abs(seen[0] - seen[1]).max() <= 12
    grey = Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8))
    assert len(packed(grey)) < .6*len(packed(Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))))


def test_importing_the_package_changes_no_figure():
    code = ('import matplotlib as m, matplotlib.pyplot; before = dict(m.rcParams)\n'
            'from gan_course.all import *\nassert dict(m.rcParams) == before; house_style(); assert dict(m.rcParams) != before')
    subprocess.run([sys.executable, '-c', code], check=True, cwd=root)


@pytest.mark.parametrize('page', pages, ids=lambda p: p.stem)
def test_links_between_pages(page):
    for cell in json.loads(page.read_text())['cells']:
        if cell['cell_type'] != 'markdown': continue
        for target in re.findall(r'\]\((?!https?:|#)([^)#]+)', source(cell)): assert (page.parent/target).exists(), (page.name, target)


courses = [p for p in pages if re.match(r'\d_', p.parent.name) or p.stem == 'own_pictures']


@pytest.mark.parametrize('page', courses, ids=lambda p: p.stem)
def test_page_has_its_doors(page):
    "Below the title: open it on Colab, find it on the site from this file alone. The first code cell installs the library, on Colab only."
    from configparser import ConfigParser
    c = ConfigParser(delimiters=['=']); c.read(root/'settings.ini'); c = c['DEFAULT']
    cells, place = json.loads(page.read_text())['cells'], page.relative_to(root/'nbs').with_suffix('')
    doors = source(cells[1])
    assert cells[1]['cell_type'] == 'markdown'
    assert f"](https://colab.research.google.com/github/{c['user']}/{c['repo']}/blob/{c['branch']}/nbs/{place}.ipynb)" in doors
    address = re.sub(r'(^|/)\d+_([^/]*)$', r'\1\2', place.as_posix())        # the docs build leaves out the number of a page
    assert f"]({c['doc_host']}{c['doc_baseurl']}/{address}.html)" in doors
    first = source(next(o for o in cells if o['cell_type'] == 'code'))
    install = f"#| hide\nif 'google.colab' in str(get_ipython()):\n    %pip install -q {c['lib_name']}"
    assert first in (install, install + '[speech]'), first


@pytest.mark.parametrize('page', courses, ids=lambda p: p.stem)
def test_home_page_shows_each_chapter(page):
    "With its picture, what it teaches, and the time that the page itself states."
    home = '\n'.join(source(c) for c in json.loads((root/'nbs'/'index.ipynb').read_text())['cells'] if c['cell_type'] == 'markdown')
    place = page.relative_to(root/'nbs').as_posix()
    row = re.search(rf'^\| \[!\[[^\]]+\]\((\S+)\)\]\({place}\) \| \[[^\]]+\]\({place}\) \| (.{{30,}}) \| (\d+) min \|$', home, re.M)
    assert row and (root/'nbs'/row[1]).is_file()
    assert re.search(rf'\*\*Time:\*\* {row[3]} minutes', '\n'.join(source(c) for c in json.loads(page.read_text())['cells'][:4]))


def test_sidebar_lists_every_page():
    listed = set(re.findall(r'- ([\w/]+\.ipynb)', (root/'nbs'/'sidebar.yml').read_text()))
    assert listed == {str(p.relative_to(root/'nbs')) for p in pages}


def test_site_is_built_from_the_top_level_quarto_yml():
    import yaml
    inner = yaml.safe_load((root/'nbs'/'_quarto.yml').read_text())
    assert inner['metadata-files'] == ['../_quarto.yml', 'nbdev.yml', 'sidebar.yml'] and inner['project'] == {'type': 'website'}
    outer = yaml.safe_load((root/'_quarto.yml').read_text())
    assert outer['format']['html']['html-math-method'] == 'mathml' and 'website' in outer
    for entry in outer['website']['navbar']['left']: assert (root/'nbs'/entry['href']).exists()
    assert yaml.safe_load((root/'nbs'/'nbdev.yml').read_text())['website']['title'] == 'gan_course'


def test_workflows_parse_and_do_what_they_promise():
    import yaml
    test, docs = [yaml.safe_load((root/'.github'/'workflows'/f).read_text()) for f in ('test.yml', 'docs.yml')]
    on = test[True]         # YAML reads the key `on` as true
    assert 'pull_request' in on and on['schedule'] and test['jobs']['test']['steps'][-1]['run'] == 'bash .ci/run'
    assert any('quarto render' in s.get('run', '') for s in docs['jobs']['build']['steps'])
    assert 'deploy-pages' in str(docs['jobs']['publish'])


def test_results_say_how_they_were_made():
    results = sorted((root/'gan_course'/'results').glob('*.json'))
    assert results
    for f in results:
        r = json.loads(f.read_text())
        assert {'command', 'hardware', 'date', 'versions'} <= set(r), f
        script = re.search(r'benchmarks/\w+\.py', r['command'])
        assert script and (root/script[0]).exists(), f
        assert script[0].split('/')[1] in (root/'benchmarks'/'all').read_text(), f


def test_versions_agree():
    import gan_course
    assert f'version = {gan_course.__version__}\n' in (root/'settings.ini').read_text()
    assert f'## {gan_course.__version__}' in (root/'CHANGELOG.md').read_text()


def code_lines(path):
    "(line, text) of the code of a page or a script."
    if path.suffix == '.py': return path.read_text().splitlines()
    cells = [source(c) for c in json.loads(path.read_text())['cells'] if c['cell_type'] == 'code']
    return [l for c in cells for l in c.splitlines() if not l.startswith('#|')]       # a directive is one line, however long


scripts = [p for folder in ('tests', 'benchmarks', 'tools') for p in sorted((root/folder).glob('*.py'))]


@pytest.mark.parametrize('path', [*pages, *scripts], ids=lambda p: p.stem)
def test_lines_can_be_read(path):
    "At most 90 characters on a lesson page, where the column of the site is narrow, and 140 elsewhere."
    most = 90 if re.match(r'\d_', path.parent.name) or path.stem == 'index' else 140
    long = [l for l in code_lines(path) if len(l) > most]
    assert not long, (len(long), long[:3])


@pytest.mark.parametrize('module', layers)
def test_functions_fit_a_screen(module):
    for node in ast.walk(ast.parse((root/'gan_course'/f'{module}.py').read_text())):
        if isinstance(node, ast.FunctionDef): assert node.end_lineno - node.body[0].lineno < 36, node.name


def test_training_stays_small(): assert len((root/'gan_course'/'training.py').read_text().splitlines()) <= 250
