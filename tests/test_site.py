"The site shows what the pages teach: nbdev's own processors make each page, and the library's code can be read on it."
import ast, json, re, subprocess, sys, tokenize
from pathlib import Path

import pytest

root = Path(__file__).resolve().parent.parent
pages = sorted(p for p in (root/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts)


def module_of(page):
    "The module that a page exports, or None."
    found = re.search(r'#\|\s*default_exp (\w+)', page.read_text())
    return found and found[1]


lessons = [p for p in pages if re.match(r'\d_', p.parent.name) and module_of(p)]
each_page = pytest.mark.parametrize('page', pages, ids=lambda p: p.stem)
each_lesson = pytest.mark.parametrize('page', lessons, ids=lambda p: p.stem)

# What the docs build does to a page before Quarto draws it. It runs the cells with imports and exported definitions: nothing is trained.
# The processors leave pages alone that export nothing, so the rule for imports is also applied cell by cell.
make_pages = '''
import json, sys, warnings
from pathlib import Path
from nbdev.process import NBProcessor
from nbdev.processors import FilterDefaults, _do_eval
from nbdev.serve_drv import main
folder, *pages = map(Path, sys.argv[1:])
said = {}
for page in pages:
    error = ''
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        try: main((page, folder/page.name, FilterDefaults))
        except Exception as e: error = f'{e} {e.__cause__!r}'
        for cell in NBProcessor(page).nb.cells: _do_eval(cell)
    said[page.stem] = dict(error=error, warned=sorted({str(w.message) for w in caught}))
(folder/'said.json').write_text(json.dumps(said))
'''


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    "The folder of the processed pages, and what was said about each; in a process of its own, since pages register their networks anew."
    folder = tmp_path_factory.mktemp('site')
    r = subprocess.run([sys.executable, '-c', make_pages, folder, *pages], capture_output=True, text=True, cwd=root)
    assert r.returncode == 0, r.stderr
    return folder, json.loads((folder/'said.json').read_text())


@each_page
def test_page_can_be_made(page, site): assert not site[1][page.stem]['error']


@each_page
def test_imports_stand_in_cells_of_their_own(page, site):
    "nbdev runs a cell with an import while it builds the site; whatever else stands in it is run, too."
    mixed = [w for w in site[1][page.stem]['warned'] if 'imports and other code' in w]
    assert not mixed, mixed


def shown(page, site):
    "Sources of the code cells that a reader of the page sees, and of the cells that draw a documentation."
    made = site[0]/page.name
    if not made.exists(): pytest.fail(site[1][page.stem]['error'])
    code = [''.join(c['source']) for c in json.loads(made.read_text())['cells'] if c['cell_type'] == 'code']
    hidden = re.compile(r'^#\|\s*((echo|include):\s*false|code-fold:\s*true)', re.M)
    return [c for c in code if 'show_doc(' in c or not hidden.search(c)]


@pytest.mark.parametrize('page', [p for p in pages if 'colab.research.google.com' in p.read_text()], ids=lambda p: p.stem)
def test_pages_name_their_own_address(page, site):
    "The docs build drops the number in a page's name: the link below the title leads to the name that it gives."
    made = '\n'.join(''.join(c['source']) for c in json.loads((site[0]/page.name).read_text())['cells'][:4])
    name = re.search(r'output-file: (\S+)', made)[1]
    folder = page.parent.relative_to(root/'nbs').as_posix()
    assert f'/{folder}/{name})'.replace('/./', '/') in made


def defines(source, name):
    "Is there a line that defines `name` at the top level?"
    return re.search(rf'^((async )?def|class) {name}\b|^{name}\b[^=\n]*=[^=]', source, re.M)


@each_lesson
def test_library_code_can_be_read(page, site):
    "Every public name of the module, and every public method that is patched in, stands on its page as source."
    tree = ast.parse((root/'gan_course'/f'{module_of(page)}.py').read_text())
    listed = next(ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == '__all__')
    patched = [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name[0] != '_' and n.name not in listed]
    code = [c for c in shown(page, site) if 'show_doc(' not in c]
    unseen = [name for name in [*listed, *patched] if not any(defines(c, name) for c in code)]
    assert listed and not unseen, unseen


@each_lesson
def test_documentation_stands_above_its_code(page, site):
    "With two public names in a cell nbdev shows them in reverse order, and one of them below the code."
    # Likewise where exported code without a documentation, a dict or a helper, comes right before code with one: put a sentence between
    cells = shown(page, site)
    pairs = [(re.search(r'show_doc\((\S+)\)', c)[1], after) for c, after in zip(cells, [*cells[1:], '']) if 'show_doc(' in c]
    apart = [name for name, after in pairs if 'show_doc(' in after or not defines(after, name.split('.')[-1])]
    assert pairs and not apart, apart


def comments_of_parameters(path):
    "(line, comment) of each comment in the signature of a function."
    depth, inside, header = 0, False, None
    with open(path, encoding='utf-8') as f:
        for t in tokenize.generate_tokens(f.readline):
            if t.type == tokenize.NAME and t.string == 'def': inside = True
            if t.type == tokenize.OP and t.string in '([{': depth += 1
            if t.type == tokenize.OP and t.string in ')]}': depth -= 1
            if inside and not depth and t.type == tokenize.OP and t.string == ':': inside, header = False, t.start[0]
            if t.type == tokenize.COMMENT and (inside and depth or t.start[0] == header): yield t.start[0], t.string


@pytest.mark.parametrize('path', sorted((root/'gan_course').glob('*.py')), ids=lambda p: p.stem)
def test_comments_of_parameters_hold_no_markdown(path):
    "In the table of a signature the docs build shows them as they are."
    marked = [f'{line}: {text}' for line, text in comments_of_parameters(path) if '`' in text]
    assert not marked, marked


@each_page
def test_pictures_have_a_text(page):
    "A caption is no alternative text on the site; a picture within a link has no caption, and its text is what it seems."
    prose = [''.join(c['source']) for c in json.loads(page.read_text())['cells'] if c['cell_type'] == 'markdown']
    bare = [m for text in prose for m in re.findall(r'(?<!\[)!\[[^\]]*\]\([^)]*\)(?!\{fig-alt="[^"]{10,}"\})', text)]
    assert not bare, bare
    # No symbol in backticks as the text of a link: the docs build would link it a second time
    doubled = [m for text in prose for m in re.findall(r'\[`[\w.]+`\]\(', text)]
    assert not doubled, doubled


def test_the_site_loads_nothing_from_elsewhere(tmp_path):
    "`tools/offline.py` on what a page with an HTML table gets from Quarto, and on a style sheet with a web font."
    kept = '<p><a href="https://arxiv.org/abs/1406.2661">paper</a></p>\n<script src="site_libs/quarto-nav.js"></script>\n'
    page = ('<link rel="preconnect" href="https://fonts.gstatic.com">\n'
            '<script src="https://cdnjs.cloudflare.com/ajax/libs/require.js/2.3.6/require.min.js" crossorigin="anonymous"></script>\n'
            '<script src="https://cdnjs.cloudflare.com/ajax/libs/jquery/3.5.1/jquery.min.js" data-relocate-top="true"></script>\n'
            '<script type="application/javascript">define(\'jquery\', [],function() {return window.jQuery;})</script>\n')
    signature = 'def f(<span>ax</span>{}<span class="op">=</span><span class="va">None</span>, b:int=1)\n'
    (tmp_path/'page.html').write_text(page + kept + signature.format(':NoneType'))
    (tmp_path/'site.css').write_text('@import"https://fonts.googleapis.com/css2?family=A;B&display=swap";body{margin:0}')
    r = subprocess.run([sys.executable, root/'tools'/'offline.py', tmp_path], capture_output=True, text=True)
    assert r.returncode == 0 and ' 6 lines' in r.stdout, r
    assert (tmp_path/'page.html').read_text() == kept + signature.format('')
    assert 'googleapis' not in (tmp_path/'site.css').read_text() and 'body{margin:0}' in (tmp_path/'site.css').read_text()
    assert 'tools/offline.py' in (root/'.github'/'workflows'/'docs.yml').read_text()


def test_the_icon_is_there():
    import yaml
    assert (root/'nbs'/yaml.safe_load((root/'_quarto.yml').read_text())['website']['favicon']).is_file()
